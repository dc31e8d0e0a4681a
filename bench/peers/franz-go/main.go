// Peer: net/http and franz-go, idempotent, acks=all, without linger, as is its default. Its records have no key: then
// franz-go fills one partition's batch before it goes on to the next, which makes fewer and larger requests. With
// BY_CUSTOMER=1 the customer is the key, whose hash is the partition.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

type order struct {
	Customer string `json:"customer"`
	Coffee   string `json:"coffee"`
	Size     string `json:"size"`
	Quantity int    `json:"quantity"`
	Milk     string `json:"milk,omitempty"`
	Note     string `json:"note,omitempty"`
	ID       string `json:"id"`
	PlacedAt string `json:"placedAt"`
}

type acceptance struct {
	ID        string `json:"id"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

var (
	coffees = []string{"espresso", "double-espresso", "macchiato", "cortado", "americano", "filter", "cappuccino",
		"flat-white", "latte", "mocha"}
	sizes = []string{"small", "medium", "large"}
	milks = []string{"", "whole", "semi-skimmed", "skimmed", "oat", "soy", "almond"}
)

func (o order) valid() bool {
	customer := utf8.RuneCountInString(o.Customer)
	return o.ID == "" && o.PlacedAt == "" && customer >= 1 && customer <= 64 && utf8.RuneCountInString(o.Note) <= 200 &&
		o.Quantity >= 1 && o.Quantity <= 100 && slices.Contains(coffees, o.Coffee) && slices.Contains(sizes, o.Size) &&
		slices.Contains(milks, o.Milk)
}

func main() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BROKERS"), ",")...),
		kgo.DefaultProduceTopic(os.Getenv("ORDERS_TOPIC")),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerLinger(0),
	)
	if err != nil {
		log.Fatal(err)
	}
	byCustomer := os.Getenv("BY_CUSTOMER") == "1"
	var accepted atomic.Int64
	http.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		var o order
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8192))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&o); err != nil || !o.valid() {
			http.Error(w, "not an order", http.StatusUnprocessableEntity)
			return
		}
		o.ID = uuid.NewString()
		o.PlacedAt = time.Now().UTC().Format(time.RFC3339Nano)
		value, err := json.Marshal(o)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		var key []byte
		if byCustomer {
			key = []byte(o.Customer)
		}
		record, err := client.ProduceSync(context.Background(), &kgo.Record{Key: key, Value: value}).First()
		if err != nil {
			http.Error(w, err.Error(), http.StatusGatewayTimeout)
			return
		}
		accepted.Add(1)
		w.Header().Set("content-type", "application/json")
		w.Header().Set("location", "/orders/"+o.ID)
		// What the product's balancer wants to know of every answer (lb/haproxy.cfg).
		w.Header().Set("order-fate", "accepted")
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(acceptance{o.ID, record.Partition, record.Offset})
	})
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") })
	http.HandleFunc("GET /accepted", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, accepted.Load()) })
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("HTTP_PORT"), nil))
}
