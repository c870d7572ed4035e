package rpc

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// tokenAge is how far a token's time of issue may be from ours, as in the Engine API
// (execution-apis, authentication.md).
const tokenAge = 60 * time.Second

// LoadJWTSecret reads the file of the operator's secret: 32 bytes in hex, with or
// without 0x.
func LoadJWTSecret(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read JWT secret: %w", err)
	}
	secret, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(raw)), "0x"))
	if err != nil || len(secret) != 32 {
		return nil, fmt.Errorf("JWT secret %s: want 64 hex digits (make one with: openssl rand -hex 32)", path)
	}
	return secret, nil
}

// checkToken checks a JSON Web Token, RFC 7519, signed with HMAC-SHA256.
func (s *Server) checkToken(token []byte) error {
	if len(s.opts.JWTSecret) == 0 {
		return errors.New("the node has no secret for tokens: start it with --rpc-jwt-secret")
	}
	dot := bytes.LastIndexByte(token, '.')
	signed, signature := token[:dot], token[dot+1:]
	given, err := base64.RawURLEncoding.DecodeString(string(signature))
	if err != nil {
		return errors.New("malformed token")
	}
	mac := hmac.New(sha256.New, s.opts.JWTSecret)
	mac.Write(signed)
	if !hmac.Equal(given, mac.Sum(nil)) {
		return errors.New("the token is not signed with the node's secret")
	}
	first, second, _ := bytes.Cut(signed, []byte("."))
	var header struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		IssuedAt *int64 `json:"iat"`
		Expires  *int64 `json:"exp"`
	}
	if decodePart(first, &header) != nil || header.Alg != "HS256" {
		return errors.New("want a token with alg HS256")
	}
	if decodePart(second, &claims) != nil || claims.IssuedAt == nil {
		return errors.New("the token has no iat in whole seconds")
	}
	now := time.Now()
	if age := now.Sub(time.Unix(*claims.IssuedAt, 0)); age > tokenAge || age < -tokenAge {
		return fmt.Errorf("the token's iat is %d s off, allowed are %d: make a new one, or set the clock", int64(age.Seconds()), int64(tokenAge.Seconds()))
	}
	if claims.Expires != nil && now.Unix() > *claims.Expires {
		return errors.New("the token has expired: make a new one")
	}
	return nil
}

func decodePart(part []byte, v any) error {
	raw, err := base64.RawURLEncoding.DecodeString(string(part))
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// notAdmin refuses a method of the operator.
func notAdmin(c *call, mt *method) *Error {
	why := c.why
	if why == "" {
		why = "there was none"
	}
	return Errorf(CodeUnauthorized, "%s needs the operator's token (%s): send Authorization: Bearer with a JWT that is signed by HS256 with the node's --rpc-jwt-secret and has an iat of now", mt.name, why)
}
