/*
 * Preloaded into a server: writes the configuration of each client of librdkafka,
 * as it is when the client is made, to the file that LINK_KAFKA_SPY names:
 * "producer" or "consumer", then "name=value", with the properties of topics
 * after those of the client, then an empty line. Line ends in values read "\n".
 *
 *	  cc -shared -fPIC -o kafka_spy.so kafka_spy.c -lrdkafka -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

static void
print(FILE *out, const char **names_and_values, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
	{
		fprintf(out, "%s=", names_and_values[i]);
		for (const char *p = names_and_values[i + 1]; *p; p++)
			if (*p == '\n')
				fputs("\\n", out);
			else
				fputc(*p, out);
		fputc('\n', out);
	}
	rd_kafka_conf_dump_free(names_and_values, n);
}

rd_kafka_t *
rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *problem, size_t size)
{
	rd_kafka_t *(*real) (rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t) = dlsym(RTLD_NEXT, "rd_kafka_new");
	rd_kafka_topic_conf_t *topic = rd_kafka_conf_get_default_topic_conf(conf);
	FILE	   *out = fopen(getenv("LINK_KAFKA_SPY"), "a");
	const char **list;
	size_t		n;

	if (out)
	{
		fputs(type == RD_KAFKA_PRODUCER ? "producer\n" : "consumer\n", out);
		list = rd_kafka_conf_dump(conf, &n);
		print(out, list, n);
		if (topic)
		{
			list = rd_kafka_topic_conf_dump(topic, &n);
			print(out, list, n);
		}
		fputc('\n', out);
		fclose(out);
	}
	return real(type, conf, problem, size);
}
