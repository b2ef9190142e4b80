ALTER AUTHORIZATION ON SCHEMA::[mine]]] TO [dbo];
ALTER AUTHORIZATION ON ROLE::[team]]] TO [dbo];
GRANT INSERT ON OBJECT::[mine]]].[t] TO [other] WITH GRANT OPTION;
GRANT INSERT ON OBJECT::[mine]]].[t] TO [third] AS [other];
GRANT SELECT ON OBJECT::[mine]]].[t] TO [other];
GRANT REFERENCES ON TYPE::[mine]]].[money] TO [third];
GRANT ALTER ON ROLE::[team]]] TO [third];
REVOKE SELECT ON OBJECT::[mine]]].[t] ([c]) FROM [other];
DROP USER [hoop_ro];
