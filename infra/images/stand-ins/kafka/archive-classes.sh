#!/bin/bash
# Starts and ends a broker, and keeps the classes that it loads in an archive (JEP 350), from which later starts load
# them in half the time. A JVM with another class path starts without.
set -euo pipefail

work=$(mktemp -d)
cat > "$work/zookeeper.properties" <<END
dataDir=$work/zookeeper
clientPort=2181
admin.enableServer=false
END
cat > "$work/server.properties" <<END
broker.id=1
listeners=PLAINTEXT://127.0.0.1:9092
zookeeper.connect=127.0.0.1:2181
log.dirs=$work/kafka
END
cat > "$work/log4j.properties" <<END
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.SimpleLayout
END

start() { # class, properties, options
  exec java "${@:3}" -Dlog4j.configuration="file:$work/log4j.properties" -cp '/opt/kafka/libs/*' \
    "$1" "$work/$2.properties" > "$work/$2.log" 2>&1
}

start org.apache.zookeeper.server.quorum.QuorumPeerMain zookeeper &
zookeeper=$!
# With a heap as compose.yaml has it: one of 32 GB and more addresses its objects otherwise, and so does its archive.
start kafka.Kafka server -Xmx512m -XX:+UseG1GC -XX:ArchiveClassesAtExit=/opt/kafka/kafka.jsa -Xlog:'cds*=off' &
kafka=$!
started='KafkaServer id=1. started'
for _ in {1..240}; do
  { grep -q "$started" "$work/server.log" || ! kill -0 $kafka || ! kill -0 $zookeeper; } && break
  sleep 0.5
done
# A broker that did not start leaves no archive, or one of little use.
grep -q "$started" "$work/server.log" || { cat "$work"/*.log; exit 1; }
for pid in $kafka $zookeeper; do
  kill $pid
  # Ended by SIGTERM, as asked: 143.
  wait $pid || [ $? -eq 143 ]
done
ls -l /opt/kafka/kafka.jsa
rm -r "$work"
