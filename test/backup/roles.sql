-- Roles that everything.sql gives things to.
CREATE ROLE keeper;
CREATE ROLE reader;
CREATE ROLE "odd ""role"", - Üx";
CREATE ROLE giver;
GRANT keeper TO giver;
