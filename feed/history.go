package feed

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// Limits of a request for stored messages.
const (
	maxBatch      = 1024
	maxBatchBytes = 4 << 20
	maxRequest    = 256 // bytes of the request
	// maxRequests wait; of more some are dropped, and their readers ask again.
	maxRequests = 256
)

// getRequest asks for stored messages. It is JetStream's request for a direct get, of
// which everything else is left out.
type getRequest struct {
	Seq      uint64 `json:"seq,omitempty"`
	Last     string `json:"last_by_subj,omitempty"` // the newest of the subject, in place of Seq
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// history lets readers have stored messages: it passes their requests on to JetStream
// within limits, one at a time. JetStream itself would put as much as somebody asks for
// into memory.
type history struct {
	nc *nats.Conn
}

func startHistory(s *Server) (*history, error) {
	nc, err := nats.Connect("", append(s.own(), nats.MaxReconnects(-1), nats.NoCallbacksAfterClientClose(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			s.opts.Log.Debug("feed server: requests", "err", err)
		}))...)
	if err != nil {
		return nil, fmt.Errorf("connection of its own: %w", err)
	}
	h, names := &history{nc: nc}, subjects{s.opts.ChainID}
	for _, k := range kinds {
		sub, err := nc.QueueSubscribe(names.get(k), "feed", func(m *nats.Msg) { h.pass(names, k, m) })
		if err == nil {
			err = sub.SetPendingLimits(maxRequests, maxRequests*maxRequest)
		}
		if err != nil {
			h.close()
			return nil, fmt.Errorf("serve stored messages: %w", err)
		}
	}
	if err := nc.Flush(); err != nil {
		h.close()
		return nil, fmt.Errorf("serve stored messages: %w", err)
	}
	return h, nil
}

// pass hands a request over to JetStream, which answers the reader itself. What is not as
// it should be stays without an answer: no reader of ours sends it.
func (h *history) pass(names subjects, k kind, m *nats.Msg) {
	var req getRequest
	if len(m.Data) > maxRequest || !strings.HasPrefix(m.Reply, inboxPrefix+".") && !strings.HasPrefix(m.Reply, publisherPrefix+".") || json.Unmarshal(m.Data, &req) != nil {
		return
	}
	if req.Last != "" {
		req = getRequest{Last: names.publish(k)}
	} else {
		req.Seq = max(req.Seq, 1)
		req.Batch = min(max(req.Batch, 1), maxBatch)
		if req.MaxBytes <= 0 || req.MaxBytes > maxBatchBytes {
			req.MaxBytes = maxBatchBytes
		}
	}
	data, err := json.Marshal(&req)
	if err == nil {
		_ = h.nc.PublishRequest(names.direct(k), m.Reply, data) // a reader who gets no answer asks again
	}
}

func (h *history) close() { h.nc.Close() }
