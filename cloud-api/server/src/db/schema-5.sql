-- Version 5: the network address of whoever issued a command or took an alarm.
ALTER TABLE acknowledgement ADD COLUMN taken_from TEXT;
ALTER TABLE command ADD COLUMN issued_from TEXT;
