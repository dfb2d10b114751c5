package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrSealed means that a sealed part does not open: wrong key, wrong place or
// changed bytes.
var ErrSealed = errors.New("sealed part does not open")

// The one HPKE suite (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
// AES-256-GCM, base mode. Who sent it is proved by the message's signature.
func sealKEM() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

// NewSealKey makes an HPKE key pair for reading what others seal.
func NewSealKey() (hpke.PrivateKey, error) { return sealKEM().GenerateKey() }

// ParseSealKey reads the raw public half (32 bytes).
func ParseSealKey(b []byte) (hpke.PublicKey, error) {
	k, err := sealKEM().NewPublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("parse seal key: %w", err)
	}
	return k, nil
}

// ParseSealPrivateKey reads the raw private half.
func ParseSealPrivateKey(b []byte) (hpke.PrivateKey, error) {
	k, err := sealKEM().NewPrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("parse seal private key: %w", err)
	}
	return k, nil
}

// SealTo seals plain to the holder of pub. Purpose binds it to its use: the
// reader must name the same.
func SealTo(pub hpke.PublicKey, purpose string, plain []byte) ([]byte, error) {
	out, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("bordergate/1 "+purpose), plain)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	return out, nil
}

// OpenFrom opens what SealTo sealed.
func OpenFrom(key hpke.PrivateKey, purpose string, sealed []byte) ([]byte, error) {
	out, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("bordergate/1 "+purpose), sealed)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", purpose, ErrSealed)
	}
	return out, nil
}

// groupPurpose binds a group key to its id and to the gate it is for.
func groupPurpose(gate, kid string) string { return "group key " + kid + " for " + gate }

// SealGroupKey seals the group key to one gate.
func SealGroupKey(pub hpke.PublicKey, gate, kid string, key [32]byte) (GroupKey, error) {
	sealed, err := SealTo(pub, groupPurpose(gate, kid), key[:])
	return GroupKey{Kid: kid, Sealed: sealed}, err
}

// Open gives the group key to the gate it was sealed for.
func (g GroupKey) Open(gate string, key hpke.PrivateKey) ([32]byte, error) {
	var out [32]byte
	b, err := OpenFrom(key, groupPurpose(gate, g.Kid), g.Sealed)
	if err != nil {
		return out, err
	}
	if copy(out[:], b) != len(out) || len(b) != len(out) {
		return out, fmt.Errorf("open group key: %w: %d bytes", ErrPayload, len(b))
	}
	return out, nil
}

func aead(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal is AES-256-GCM with a random nonce in front.
func seal(key [32]byte, aad, plain []byte) ([]byte, error) {
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, a.NonceSize(), a.NonceSize()+len(plain)+a.Overhead())
	if _, err := rand.Read(out); err != nil {
		return nil, err
	}
	return a.Seal(out, out, plain, aad), nil
}

func open(key [32]byte, aad, sealed []byte) ([]byte, error) {
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < a.NonceSize() {
		return nil, ErrSealed
	}
	out, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], aad)
	if err != nil {
		return nil, ErrSealed
	}
	return out, nil
}

// aad binds a delta's ciphertext to its place in the log.
func (d Delta) aad() []byte {
	b := append([]byte("bordergate/1 delta "), d.Key...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, d.Epoch)
	b = binary.BigEndian.AppendUint64(b, d.First)
	b = binary.BigEndian.AppendUint32(b, uint32(d.N))
	return append(b, d.Prev[:]...)
}
