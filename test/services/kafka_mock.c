/*
 * The broker that librdkafka brings for tests. It knows transactions, and asks
 * nobody who they are.
 *
 *	  cc -o kafka_mock kafka_mock.c -lrdkafka
 *	  kafka_mock              the table of librdkafka's properties
 *	  kafka_mock TOPIC...     a broker with these topics: prints "brokers HOST:PORT", runs until killed
 */
#include <stdio.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

int
main(int argc, char **argv)
{
	char		problem[512];
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;

	if (argc == 1)
	{
		rd_kafka_conf_properties_show(stdout);
		return 0;
	}
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), problem, sizeof(problem));
	cluster = rk ? rd_kafka_mock_cluster_new(rk, 1) : NULL;
	if (cluster == NULL)
		return 1;
	for (int i = 1; i < argc; i++)
		rd_kafka_mock_topic_create(cluster, argv[i], 1, 1);
	printf("brokers %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	for (;;)
		pause();
}
