package ingest_test

import (
	"context"
	"errors"
	"log"

	"github.com/talaria-l2/talaria/sdk/ingest"
)

// A sender streams signed transactions and hears of each when it is durable. When the
// connection breaks, it sends what was not acknowledged again.
func Example() {
	ctx := context.Background()
	var signed []ingest.Tx // from wherever they are signed
	for {
		c, err := ingest.Dial(ctx, "tcp://127.0.0.1:8546", ingest.Options{
			ChainID: 7411,
			OnAck: func(acks []ingest.Ack) {
				for _, a := range acks {
					if !a.Status.Included() {
						log.Printf("%s: %v (%d)", a.Hash, a.Status, a.Detail)
					}
				}
			},
		})
		if err != nil {
			log.Print(err)
			return
		}
		taken := 0
		for taken < len(signed) {
			if err = c.Send(ctx, signed[taken]); err != nil {
				break
			}
			taken++
		}
		err = errors.Join(err, c.Flush(ctx))
		rest := append(c.Unacknowledged(), signed[taken:]...)
		_ = c.Close()
		if err == nil {
			return
		}
		log.Printf("%v: %d transactions to send again", err, len(rest))
		signed = rest
	}
}
