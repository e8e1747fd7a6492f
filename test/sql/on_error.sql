-- Rows that cannot be read: what COPY of the server can do, so can LOAD DATA.
-- One result for 15 and 16 (refused), one for 17 (on_error), one for 18 (reject_limit).
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_rows && mkdir /tmp/link_regress_rows && cat > /dev/null';
SELECT link.create_link('files', 'FS', config => '{"root":"/tmp/link_regress_rows"}');
SELECT link.write_file('files', 'rows/1', E'1\n2\nthree\n4\n');
SELECT link.write_file('files', 'rows/2', E'five\n6\nseven\n');
CREATE TABLE numbers (n int);
\set SHOW_CONTEXT never
SELECT * FROM link.load_data('files', 'rows/*', 'numbers');
SELECT * FROM link.load_data('files', 'rows/*', 'numbers', on_error => 'stop');
SELECT * FROM link.load_data('files', 'rows/*', 'numbers', on_error => 'skip');
SELECT * FROM link.load_data('files', 'rows/*', 'numbers', on_error => 'ignore');
TABLE numbers;
TRUNCATE numbers;
SELECT * FROM link.load_data('files', 'rows/*', 'numbers', on_error => 'ignore', reject_limit => 1);
SELECT * FROM link.load_data('files', 'rows/*', 'numbers', on_error => 'ignore', reject_limit => 2);
SELECT * FROM link.load_data('files', 'rows/*', 'numbers', on_error => 'ignore', reject_limit => 3);
SELECT * FROM link.load_data('files', 'rows/*', 'numbers', reject_limit => 1);
TABLE numbers;
SELECT link.drop_link('files');
DROP TABLE numbers;
COPY (SELECT 1) TO PROGRAM 'rm -rf /tmp/link_regress_rows; cat > /dev/null';
