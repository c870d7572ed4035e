package light_test

import (
	"context"
	"log"

	"github.com/ethereum/go-ethereum/common"

	"github.com/talaria-l2/talaria/sdk/light"
)

// A program follows a chain and prints a balance after each block. It believes nobody but
// the leader whom it names.
func Example() {
	c, err := light.New(light.Options{
		Trust: light.Trust{ChainID: 7411, Leaders: []light.Leader{{
			Address: common.HexToAddress("0x71bE63f3384f5fb98995898A86B02Fb2426c5788"), // config.sequencer of the genesis file
		}}},
		Endpoints: []string{"ws://127.0.0.1:8545", "ws://127.0.0.1:8745"},
	})
	if err != nil {
		log.Print(err)
		return
	}
	defer c.Close()
	ctx := context.Background()
	err = c.Run(ctx, func(e light.Event) error {
		switch e := e.(type) {
		case *light.Fault:
			log.Print(e.Err) // the next endpoint is asked
		case *light.Block:
			a, err := c.AccountAt(ctx, e, common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"))
			if err != nil {
				return err
			}
			log.Printf("block %d: %d wei", e.Number(), a.Balance)
		}
		return nil
	})
	log.Print(err) // a *light.Equivocation is evidence against the leader
}
