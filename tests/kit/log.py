"""The Kafka side: what stands in a topic, read from its beginning by a consumer of no group's."""

import confluent_kafka

from .wait import until

READ_TIMEOUT_S = 20
CONSUMED_AT_ONCE = 5000
POLL_S = 0.1


def partitions_of(consumer, topic):
    """The numbers of its partitions; a topic that was made a moment ago may not show them yet."""
    return until(lambda: list(consumer.list_topics(topic, timeout=READ_TIMEOUT_S).topics[topic].partitions),
                 f"the partitions of {topic}")


def read_topic(env, topic):
    """All messages of a topic up to its present end: [(partition, offset, key, value, {header: value})]."""
    return [message[:5] for message in read_stamped(env, topic)]


def read_stamped(env, topic):
    """As read_topic, each with its timestamp in ms behind: for events, the receipt."""
    return list(each_stamped(env, topic))


def each_stamped(env, topic):
    """The same one by one, for what is too long to be held: a partition's in their order."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": env["KAFKA_BROKERS"], "group.id": "kit", "enable.auto.commit": False,
        "auto.offset.reset": "earliest"})
    try:
        wanted = {}
        positions = []
        for partition, (low, high) in bounds_of(consumer, topic).items():
            if high > low:
                wanted[partition] = high
                positions.append(confluent_kafka.TopicPartition(topic, partition, low))
        consumer.assign(positions)
        silent_polls = 0
        while wanted:
            messages = consumer.consume(CONSUMED_AT_ONCE, POLL_S)  # waits for so many, or so long
            silent_polls = 0 if messages else silent_polls + 1
            assert silent_polls * POLL_S < READ_TIMEOUT_S, f"reading {topic}: nothing came for {READ_TIMEOUT_S} s"
            for message in messages:
                assert not message.error(), f"reading {topic}: {message.error()}"
                partition = message.partition()
                if partition not in wanted or message.offset() >= wanted[partition]:
                    continue  # came after we looked where the end is
                headers = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers() or []}
                yield (partition, message.offset(), message.key(), message.value(), headers, message.timestamp()[1])
                if message.offset() + 1 >= wanted[partition]:
                    del wanted[partition]
    finally:
        consumer.close()


def bounds_of(consumer, topic):
    """{partition: (first offset, the one behind the last)}."""
    return {number: consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, number), timeout=READ_TIMEOUT_S)
            for number in partitions_of(consumer, topic)}


def ends_of_topic(env, topic):
    """{partition: the offset behind its last message}."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": env["KAFKA_BROKERS"], "group.id": "kit"})
    try:
        return {number: high for number, (_low, high) in bounds_of(consumer, topic).items()}
    finally:
        consumer.close()


def end_of_topic(env, topic):
    """How many messages have ever been written to a topic: the sum of its partitions' ends."""
    return sum(ends_of_topic(env, topic).values())


def find_event(env, event_id, topic="sluice.events.v1"):
    """The messages with the ce_id."""
    return [message for message in read_topic(env, topic) if message[4].get("ce_id") == event_id]
