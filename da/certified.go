package da

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// CertifyCall is the calldata that has the CertificateVerifier check and announce a
// certificate: certify(bytes).
func CertifyCall(c *Certificate) []byte {
	out := crypto.Keccak256([]byte("certify(bytes)"))[:4]
	return appendBytes(out, c.Bytes())
}

// appendBytes appends the ABI encoding of one argument of type bytes.
func appendBytes(out, data []byte) []byte {
	out = appendWord(appendWord(out, 32), uint64(len(data)))
	out = append(out, data...)
	return append(out, make([]byte, -len(data)&31)...)
}

func appendWord(out []byte, v uint64) []byte {
	return binary.BigEndian.AppendUint64(append(out, make([]byte, 24)...), v)
}

// CertifiedTopic is the first topic of the verifier's event
// BatchCertified(bytes32 indexed certificateHash, address indexed batcher, bytes commitment).
func CertifiedTopic() common.Hash {
	return crypto.Keccak256Hash([]byte("BatchCertified(bytes32,address,bytes)"))
}

// CertifiedFromLog reads an event of the verifier and says who called. The caller has
// checked the log's address. Errors wrap ErrMalformed: then it is no such event.
func CertifiedFromLog(log *types.Log) (c *Certificate, batcher common.Address, err error) {
	fail := func(what string) (*Certificate, common.Address, error) {
		return nil, common.Address{}, fmt.Errorf("read certificate event: %w: %s", ErrMalformed, what)
	}
	if len(log.Topics) != 3 || log.Topics[0] != CertifiedTopic() {
		return fail("another event")
	}
	data := log.Data
	if len(data) < 64 || len(data)%32 != 0 || common.Hash(data[:32]) != common.BigToHash(common.Big32) {
		return fail("not one argument of bytes")
	}
	length := common.Hash(data[32:64]).Big()
	if !length.IsUint64() || length.Uint64() > uint64(len(data)-64) {
		return fail("its length is beyond its end")
	}
	raw := data[64 : 64+length.Uint64()]
	if crypto.Keccak256Hash(raw) != log.Topics[1] {
		return fail("the hash is not the certificate's")
	}
	if c, err = ParseCertificate(raw); err != nil {
		return nil, common.Address{}, fmt.Errorf("read certificate event: %w", err)
	}
	return c, common.BytesToAddress(log.Topics[2][:]), nil
}
