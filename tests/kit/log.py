"""The Kafka side: what stands in a topic, read from its beginning by a consumer of no group's."""

import confluent_kafka

from .wait import until

READ_TIMEOUT_S = 20


def partitions_of(consumer, topic):
    """The numbers of its partitions; a topic that was made a moment ago may not show them yet."""
    return until(lambda: list(consumer.list_topics(topic, timeout=READ_TIMEOUT_S).topics[topic].partitions),
                 f"the partitions of {topic}")


def read_topic(env, topic):
    """All messages of a topic up to its present end: [(partition, offset, key, value, {header: value})]."""
    return [message[:5] for message in read_stamped(env, topic)]


def read_stamped(env, topic):
    """As read_topic, each with its timestamp in ms behind: for events, the receipt."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": env["KAFKA_BROKERS"], "group.id": "kit", "enable.auto.commit": False,
        "auto.offset.reset": "earliest"})
    try:
        wanted = {}
        positions = []
        for partition in partitions_of(consumer, topic):
            low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition),
                                                       timeout=READ_TIMEOUT_S)
            if high > low:
                wanted[partition] = high
                positions.append(confluent_kafka.TopicPartition(topic, partition, low))
        consumer.assign(positions)
        messages = []
        while wanted:
            message = consumer.poll(READ_TIMEOUT_S)
            assert message is not None and not message.error(), f"reading {topic}: {message and message.error()}"
            if message.partition() not in wanted:
                continue  # came after we looked where the end is
            headers = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers() or []}
            messages.append((message.partition(), message.offset(), message.key(), message.value(), headers,
                             message.timestamp()[1]))
            if message.offset() + 1 >= wanted[message.partition()]:
                del wanted[message.partition()]
        return messages
    finally:
        consumer.close()


def end_of_topic(env, topic):
    """How many messages have ever been written to a topic: the sum of its partitions' ends."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": env["KAFKA_BROKERS"], "group.id": "kit"})
    try:
        return sum(consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, number), timeout=READ_TIMEOUT_S)[1]
                   for number in partitions_of(consumer, topic))
    finally:
        consumer.close()


def find_event(env, event_id, topic="sluice.events.v1"):
    """The messages with the ce_id."""
    return [message for message in read_topic(env, topic) if message[4].get("ce_id") == event_id]
