package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A plain consumer: it reads orders in a group, decodes each, and commits what it polled. It keeps no ledger, so it
// handles an order again after a crash, and it costs no database.
func consume() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BROKERS"), ",")...),
		kgo.ConsumerGroup("plain"),
		kgo.ConsumeTopics(os.Getenv("ORDERS_TOPIC")),
		kgo.DisableAutoCommit(),
	)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") })
	go func() { log.Fatal(http.ListenAndServe(address(), nil)) }()
	for {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			log.Print(err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			var o order
			if err := json.Unmarshal(record.Value, &o); err != nil {
				log.Print(err)
			}
		})
		if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
			log.Print(err)
		}
	}
}
