// SPDX-License-Identifier: MIT
package godwit.peer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import ml.dmlc.xgboost4j.java.Booster;
import ml.dmlc.xgboost4j.java.XGBoost;
import ml.dmlc.xgboost4j.java.XGBoostError;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;

/**
 * What a team would write with Kafka Streams and XGBoost4J for the same work: the same requests, the same model, exactly
 * once, answers that the same reader counts. Features do not come from Redis but from a table in memory, which favours
 * this side. Settings come from GODWIT_TEST_PEER_* variables.
 *
 * <p>Records are Avro by hand, because a general decoder would cost this side more than the work itself.
 */
public final class Peer {
    private static final int HEADER_BYTES = 24; // of an example: time, labels, weight, reserved
    private static final int FRAME_BYTES = 5;
    private static final int REQUEST_ID_BYTES = 16;

    private final float[] table;
    private final int rows;
    private final int width;
    private final String model;
    private final int schemaId;
    private final ThreadLocal<Booster> boosters = ThreadLocal.withInitial(this::loadModel);

    private Peer(String examples, String model, int schemaId) throws IOException {
        this.model = model;
        this.schemaId = schemaId;
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(Path.of(examples))).order(ByteOrder.LITTLE_ENDIAN);
        int header = file.getInt(8);
        byte[] text = new byte[header];
        file.position(12);
        file.get(text);
        String features = new String(text, java.nio.charset.StandardCharsets.UTF_8);
        features = features.substring(features.indexOf('[') + 1, features.indexOf(']'));
        width = features.split(",").length;
        rows = file.remaining() / (HEADER_BYTES + 4 * width);
        table = new float[rows * width];
        for (int r = 0; r < rows; r++) {
            file.position(12 + header + r * (HEADER_BYTES + 4 * width) + HEADER_BYTES);
            file.asFloatBuffer().get(table, r * width, width);
        }
    }

    private Booster loadModel() {
        try {
            Booster booster = XGBoost.loadModel(model);
            booster.setParam("nthread", 1);
            return booster;
        } catch (XGBoostError e) {
            throw new IllegalStateException(e);
        }
    }

    private static long readLong(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte b = in.get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return value >>> 1 ^ -(value & 1);
            }
        }
    }

    private static void writeLong(ByteBuffer out, long value) {
        long rest = value << 1 ^ value >> 63;
        while ((rest & ~0x7fL) != 0) {
            out.put((byte) (rest & 0x7f | 0x80));
            rest >>>= 7;
        }
        out.put((byte) rest);
    }

    private static void skipBytes(ByteBuffer in) {
        int size = (int) readLong(in);
        in.position(in.position() + size);
    }

    /** Items of the next block of an array; 0 at its end. */
    private static int readBlock(ByteBuffer in) {
        long count = readLong(in);
        if (count < 0) {
            readLong(in); // the block's size
            count = -count;
        }
        return (int) count;
    }

    private byte[] score(byte[] request) {
        ByteBuffer in = ByteBuffer.wrap(request);
        in.position(FRAME_BYTES + REQUEST_ID_BYTES);
        long joinId = readLong(in);
        long userId = readLong(in);
        readLong(in); // enqueued_at_ms
        readLong(in); // deadline_ms
        skipBytes(in); // model_name
        readLong(in); // model_version
        for (int count = readBlock(in); count > 0; count = readBlock(in)) {
            for (int i = 0; i < count; i++) {
                skipBytes(in); // value_names
            }
        }
        long[] tweets = new long[0];
        for (int count = readBlock(in); count > 0; count = readBlock(in)) {
            int first = tweets.length;
            tweets = java.util.Arrays.copyOf(tweets, first + count);
            for (int i = 0; i < count; i++) {
                tweets[first + i] = readLong(in);
                readLong(in); // author_id
                for (int values = readBlock(in); values > 0; values = readBlock(in)) {
                    in.position(in.position() + 4 * values);
                }
            }
        }
        return answer(request, joinId, userId, tweets, predict(userId, tweets));
    }

    private float[][] predict(long userId, long[] tweets) {
        float[] matrix = new float[tweets.length * width];
        for (int i = 0; i < tweets.length; i++) {
            long hash = (userId ^ tweets[i]) * 0x9E3779B97F4A7C15L;
            hash ^= hash >>> 32;
            int row = (int) ((hash & 0x7fffffff) % rows);
            System.arraycopy(table, row * width, matrix, i * width, width);
        }
        try {
            return boosters.get().inplace_predict(matrix, tweets.length, width, Float.NaN);
        } catch (XGBoostError e) {
            throw new IllegalStateException(e);
        }
    }

    private byte[] answer(byte[] request, long joinId, long userId, long[] tweets, float[][] scores) {
        Integer[] order = new Integer[tweets.length];
        java.util.Arrays.setAll(order, i -> i);
        java.util.Arrays.sort(order, (a, b) -> Float.compare(scores[b][0], scores[a][0]));
        ByteBuffer out = ByteBuffer.allocate(128 + tweets.length * 24);
        out.put((byte) 0).putInt(schemaId);
        out.put(request, FRAME_BYTES, REQUEST_ID_BYTES);
        writeLong(out, joinId);
        writeLong(out, userId);
        writeLong(out, 0); // model_name ""
        writeLong(out, 0); // model_version
        writeLong(out, 0); // variant ""
        writeLong(out, 1); // status OK
        writeLong(out, 0); // no message
        if (tweets.length > 0) {
            writeLong(out, tweets.length);
        }
        for (int i : order) {
            writeLong(out, tweets[i]);
            putFloat(out, scores[i][0]);
            writeLong(out, 1); // one head
            putFloat(out, scores[i][0]);
            writeLong(out, 0);
            writeLong(out, 0); // missing_rows
        }
        writeLong(out, 0);
        writeLong(out, tweets.length); // batch_size
        writeLong(out, 0); // queue_us
        writeLong(out, 0); // hydrate_us
        writeLong(out, 0); // score_us
        writeLong(out, System.currentTimeMillis());
        return java.util.Arrays.copyOf(out.array(), out.position());
    }

    private static void putFloat(ByteBuffer out, float value) {
        out.putInt(Integer.reverseBytes(Float.floatToRawIntBits(value)));
    }

    private static String setting(String name) {
        String value = System.getenv("GODWIT_TEST_PEER_" + name);
        if (value == null) {
            throw new IllegalArgumentException("GODWIT_TEST_PEER_" + name + " is not set");
        }
        return value;
    }

    /** Kafka Streams as peers.md measured it best: what it does by default, with larger batches and fetches. */
    private static Properties properties() {
        Properties p = new Properties();
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, setting("BOOTSTRAP"));
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, setting("GROUP"));
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, setting("THREADS"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        p.put(StreamsConfig.STATE_DIR_CONFIG, setting("STATE"));
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10000);
        p.put("auto.offset.reset", "earliest");
        p.put("producer.linger.ms", 10);
        p.put("producer.batch.size", 262144);
        p.put("producer.buffer.memory", 134217728L);
        p.put("main.consumer.max.poll.records", 4000);
        p.put("main.consumer.fetch.min.bytes", 65536);
        p.put("main.consumer.fetch.max.wait.ms", 50);
        p.put("main.consumer.max.partition.fetch.bytes", 4194304);
        return p;
    }

    public static void main(String[] args) throws Exception {
        Peer peer = new Peer(setting("EXAMPLES"), setting("MODEL"), Integer.parseInt(setting("SCHEMA_ID")));
        StreamsBuilder builder = new StreamsBuilder();
        builder.<byte[], byte[]>stream(setting("INPUT")).mapValues(peer::score).to(setting("OUTPUT"));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties());
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close();
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }
}
