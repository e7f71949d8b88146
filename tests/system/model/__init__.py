"""An independent statement of the rules: a model that is fed what Kafka holds, a generator of histories, a comparator."""
