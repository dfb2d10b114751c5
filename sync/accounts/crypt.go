package accounts

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"
)

// accountKey is the keyed hash under which an account is stored.
type accountKey [16]byte

// crypt holds what hides ids and values.
type crypt struct {
	aead  cipher.AEAD
	macs  sync.Pool // of hash.Hash keyed for ids
	check [16]byte  // says that a file was made with the same key
}

func newCrypt(key [32]byte) (*crypt, error) {
	derive := func(info string) ([]byte, error) {
		return hkdf.Key(sha256.New, key[:], nil, "bordergate accounts 1 "+info, 32)
	}
	seal, err := derive("values")
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	ids, err := derive("ids")
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(seal)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	c := &crypt{}
	c.macs.New = func() any { return hmac.New(sha256.New, ids) }
	if c.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	c.check = c.sum("check\x00")
	return c, nil
}

// id is the key of an account.
func (c *crypt) id(account string) accountKey { return c.sum("id\x00" + account) }

func (c *crypt) sum(s string) (out [16]byte) {
	h := c.macs.Get().(hash.Hash)
	defer c.macs.Put(h)
	h.Reset()
	h.Write([]byte(s))
	var b [sha256.Size]byte
	copy(out[:], h.Sum(b[:0]))
	return out
}
