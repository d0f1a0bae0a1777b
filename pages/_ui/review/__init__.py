"""The parts of the Review page: the record, what people say, and the desk where they say and sign it."""
