package daoperator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/scrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/talaria-l2/talaria/bls"
)

// ErrPassword says that a keystore was not made with this password.
var ErrPassword = errors.New("wrong password")

// keystore is a BLS12-381 keystore of EIP-2335, version 4.
type keystore struct {
	Crypto struct {
		KDF struct {
			Function string    `json:"function"`
			Params   kdfParams `json:"params"`
			Message  string    `json:"message"`
		} `json:"kdf"`
		Checksum struct {
			Function string   `json:"function"`
			Params   struct{} `json:"params"`
			Message  string   `json:"message"`
		} `json:"checksum"`
		Cipher struct {
			Function string `json:"function"`
			Params   struct {
				IV string `json:"iv"`
			} `json:"params"`
			Message string `json:"message"`
		} `json:"cipher"`
	} `json:"crypto"`
	Description string `json:"description"`
	PublicKey   string `json:"pubkey"`
	Path        string `json:"path"`
	UUID        string `json:"uuid"`
	Version     int    `json:"version"`
}

type kdfParams struct {
	KeyBytes int    `json:"dklen"`
	Salt     string `json:"salt"`
	C        int    `json:"c,omitempty"`   // pbkdf2: rounds
	PRF      string `json:"prf,omitempty"` // pbkdf2
	N        int    `json:"n,omitempty"`   // scrypt
	R        int    `json:"r,omitempty"`   // scrypt
	P        int    `json:"p,omitempty"`   // scrypt
}

// Bounds of what a keystore may cost to open.
const (
	pbkdf2Rounds    = 262_144
	maxPBKDF2Rounds = 1 << 24
	maxScryptMemory = 1 << 30 // bytes: 128·N·r
)

// EncryptKey writes a keystore. The public key in it is for people: of G2, in the
// encoding of package bls.
func EncryptKey(key *bls.SecretKey, password string) ([]byte, error) {
	var salt [32]byte
	var iv [16]byte
	for _, b := range [][]byte{salt[:], iv[:]} {
		if _, err := rand.Read(b); err != nil {
			return nil, fmt.Errorf("encrypt key: %w", err)
		}
	}
	k := new(keystore)
	k.Version, k.Description = 4, "Talaria data-availability operator"
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // RFC 9562, version 4
	k.UUID = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	k.Crypto.KDF.Function = "pbkdf2"
	k.Crypto.KDF.Params = kdfParams{KeyBytes: 32, Salt: hex.EncodeToString(salt[:]), C: pbkdf2Rounds, PRF: "hmac-sha256"}
	derived, err := k.derive(password)
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	secret, public := key.Bytes(), key.Public().Bytes()
	k.Crypto.Cipher.Function = "aes-128-ctr"
	k.Crypto.Cipher.Params.IV = hex.EncodeToString(iv[:])
	if err := crypt(derived, iv[:], secret[:]); err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	k.Crypto.Cipher.Message = hex.EncodeToString(secret[:])
	k.Crypto.Checksum.Function = "sha256"
	k.Crypto.Checksum.Message = hex.EncodeToString(checksum(derived, secret[:]))
	k.PublicKey = hex.EncodeToString(public[:])
	return json.MarshalIndent(k, "", "  ")
}

// DecryptKey reads a keystore with pbkdf2 or scrypt. ErrPassword for a wrong password.
func DecryptKey(raw []byte, password string) (*bls.SecretKey, error) {
	k := new(keystore)
	if err := json.Unmarshal(raw, k); err != nil {
		return nil, fmt.Errorf("read keystore: %w", err)
	}
	c := &k.Crypto
	if k.Version != 4 || c.Cipher.Function != "aes-128-ctr" || c.Checksum.Function != "sha256" {
		return nil, fmt.Errorf("read keystore: version %d with %s and %s; known are 4, aes-128-ctr and sha256 (EIP-2335)", k.Version, c.Cipher.Function, c.Checksum.Function)
	}
	iv, ierr := hex.DecodeString(c.Cipher.Params.IV)
	secret, serr := hex.DecodeString(c.Cipher.Message)
	sum, cerr := hex.DecodeString(c.Checksum.Message)
	if err := errors.Join(ierr, serr, cerr); err != nil || len(iv) != aes.BlockSize || len(secret) != bls.SecretBytes {
		return nil, fmt.Errorf("read keystore: not a key of %d bytes under AES-128-CTR: %w", bls.SecretBytes, err)
	}
	derived, err := k.derive(password)
	if err != nil {
		return nil, fmt.Errorf("read keystore: %w", err)
	}
	if subtle.ConstantTimeCompare(checksum(derived, secret), sum) != 1 {
		return nil, fmt.Errorf("read keystore: %w", ErrPassword)
	}
	if err := crypt(derived, iv, secret); err != nil {
		return nil, fmt.Errorf("read keystore: %w", err)
	}
	return bls.ParseSecretKey(secret)
}

// derive is the 32 bytes that the password gives.
func (k *keystore) derive(password string) ([]byte, error) {
	p := k.Crypto.KDF.Params
	salt, err := hex.DecodeString(p.Salt)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	text := normal(password)
	switch f := k.Crypto.KDF.Function; {
	case p.KeyBytes != 32:
		return nil, fmt.Errorf("dklen %d: 32 is known", p.KeyBytes)
	case f == "pbkdf2" && p.PRF == "hmac-sha256" && p.C > 0 && p.C <= maxPBKDF2Rounds:
		return pbkdf2.Key(sha256.New, text, salt, p.C, 32)
	case f == "scrypt" && p.N > 1 && p.R > 0 && p.P > 0 && p.P <= 16 && p.N <= maxScryptMemory/128 && p.R <= maxScryptMemory/128/p.N:
		return scrypt.Key([]byte(text), salt, p.N, p.R, p.P, 32)
	default:
		return nil, fmt.Errorf("key derivation %q with parameters that are not allowed", f)
	}
}

// normal is a password as EIP-2335 has it: NFKD without control characters.
func normal(password string) string {
	var out []rune
	for _, r := range norm.NFKD.String(password) {
		if r >= 0x20 && (r < 0x7f || r > 0x9f) {
			out = append(out, r)
		}
	}
	return string(out)
}

// crypt encrypts or decrypts in place.
func crypt(derived, iv, data []byte) error {
	block, err := aes.NewCipher(derived[:16])
	if err != nil {
		return err
	}
	cipher.NewCTR(block, iv).XORKeyStream(data, data)
	return nil
}

// checksum tells whether a password is right before anything is decrypted.
func checksum(derived, secret []byte) []byte {
	sum := sha256.Sum256(append(append([]byte(nil), derived[16:32]...), secret...))
	return sum[:]
}
