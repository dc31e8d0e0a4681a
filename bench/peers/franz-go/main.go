// Peer: net/http and franz-go, idempotent, acks=all, without linger, as is its default. Its records have no key: then
// franz-go fills one partition's batch before it goes on to the next, which makes fewer and larger requests. With
// BY_CUSTOMER=1 the customer is the key, whose hash is the partition. With CONSUME=1 it is a plain consumer instead.
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
	Status    int    `json:"status"`
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

// Orders of a request that are acknowledged; the first error of any.
func place(ctx context.Context, client *kgo.Client, byCustomer bool, orders []order) ([]acceptance, error) {
	records := make([]*kgo.Record, len(orders))
	for n := range orders {
		o := &orders[n]
		o.ID = uuid.NewString()
		o.PlacedAt = time.Now().UTC().Format(time.RFC3339Nano)
		value, err := json.Marshal(o)
		if err != nil {
			return nil, err
		}
		records[n] = &kgo.Record{Value: value}
		if byCustomer {
			records[n].Key = []byte(o.Customer)
		}
	}
	// Its results are in the order of their acknowledgement; the records know their places.
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	accepted := make([]acceptance, len(orders))
	for n, record := range records {
		accepted[n] = acceptance{http.StatusAccepted, orders[n].ID, record.Partition, record.Offset}
	}
	return accepted, nil
}

// Reads a request's JSON as strictly as the product does; false, and answered, where it can't.
func read(w http.ResponseWriter, r *http.Request, limit int64, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		http.Error(w, "no order", http.StatusUnprocessableEntity)
		return false
	}
	return true
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("content-type", "application/json")
	// What the product's balancer wants to know of every answer (lb/haproxy.cfg).
	w.Header().Set("order-fate", "accepted")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func main() {
	if os.Getenv("CONSUME") == "1" {
		consume()
		return
	}
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
		orders := make([]order, 1)
		if !read(w, r, 8192, &orders[0]) {
			return
		}
		if !orders[0].valid() {
			http.Error(w, "not an order", http.StatusUnprocessableEntity)
			return
		}
		all, err := place(context.Background(), client, byCustomer, orders)
		if err != nil {
			http.Error(w, err.Error(), http.StatusGatewayTimeout)
			return
		}
		accepted.Add(1)
		w.Header().Set("location", "/orders/"+all[0].ID)
		answer(w, http.StatusAccepted, all[0])
	})
	http.HandleFunc("POST /orders/batch", func(w http.ResponseWriter, r *http.Request) {
		var orders []order
		if !read(w, r, 1<<20, &orders) {
			return
		}
		if slices.ContainsFunc(orders, func(o order) bool { return !o.valid() }) {
			http.Error(w, "not all are orders", http.StatusUnprocessableEntity)
			return
		}
		all, err := place(context.Background(), client, byCustomer, orders)
		if err != nil {
			http.Error(w, err.Error(), http.StatusGatewayTimeout)
			return
		}
		accepted.Add(int64(len(all)))
		answer(w, http.StatusMultiStatus, map[string]any{"outcomes": all})
	})
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") })
	http.HandleFunc("GET /accepted", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, accepted.Load()) })
	log.Fatal(http.ListenAndServe(address(), nil))
}

// Loopback, unless HTTP_HOST says otherwise.
func address() string {
	host := os.Getenv("HTTP_HOST")
	if host == "" {
		host = "127.0.0.1"
	}
	return host + ":" + os.Getenv("HTTP_PORT")
}
