package pass

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// Sizes of a sealed template, in bytes. Its form is the key's id, the nonce,
// the ciphertext and the tag, one after the other.
const (
	TemplateSize       = 160 // plain: a face reference of the shipped recogniser
	MinTemplateSize    = 16  // plain: a face reference of any
	MaxTemplateSize    = MaxTemplate - templateOverhead
	TemplateKeySize    = 32 // AES-256
	templateKeyID      = 4
	templateNonce      = 12
	templateTag        = 16
	templateOverhead   = templateKeyID + templateNonce + templateTag
	SealedTemplateSize = TemplateSize + templateOverhead
)

// TemplateKeyPEM is the type of a PEM block that holds a template key.
const TemplateKeyPEM = "BORDERGATE TEMPLATE KEY"

// MaxTemplateKeys bounds the keys of one file: the one in use and those of
// passes still valid.
const MaxTemplateKeys = 32

// templateContext separates these ciphertexts from all others, and one form of
// the field from the next.
const templateContext = "bordergate pass template 1\x00"

// Errors of template keys and sealed templates.
var (
	// ErrTemplateKey: the bytes are no template keys.
	ErrTemplateKey = errors.New("not a template key file")
	// ErrNoTemplate: the pass carries none.
	ErrNoTemplate = errors.New("pass has no template")
	// ErrTemplateKeyUnknown: it was sealed under a key that is not here.
	ErrTemplateKeyUnknown = errors.New("template is sealed under a key that is not here")
	// ErrTemplate: it is not a template of this pass, model and key, whole.
	ErrTemplate = errors.New("template does not open")
)

// TemplateKey seals face templates. Only gates and issuers hold it; it never
// prints its secret.
type TemplateKey struct {
	id     [templateKeyID]byte
	secret [TemplateKeySize]byte
}

// NewTemplateKey makes a key.
func NewTemplateKey() TemplateKey {
	var secret [TemplateKeySize]byte
	_, _ = rand.Read(secret[:]) // crypto/rand never fails: it ends the program
	return templateKeyOf(secret)
}

// templateKeyOf derives the id from the secret, so that two files cannot give
// one id to different keys by mistake.
func templateKeyOf(secret [TemplateKeySize]byte) TemplateKey {
	k := TemplateKey{secret: secret}
	sum := sha256.Sum256(append([]byte("bordergate pass template key id\x00"), secret[:]...))
	copy(k.id[:], sum[:])
	return k
}

// ID names the key in hexadecimal; it is no secret.
func (k TemplateKey) ID() string { return hex.EncodeToString(k.id[:]) }

// String is the id, so that a key printed by mistake tells nothing.
func (k TemplateKey) String() string { return "template key " + k.ID() }

// GoString is String.
func (k TemplateKey) GoString() string { return k.String() }

// PEM is the key as a file holds it: a secret.
func (k TemplateKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: TemplateKeyPEM, Bytes: k.secret[:]})
}

// Seal puts a template into p under its number and model: the field opens on
// no other pass. p must have both.
func (k TemplateKey) Seal(p *Pass, template []byte) error {
	switch {
	case len(template) < MinTemplateSize || len(template) > MaxTemplateSize:
		return fmt.Errorf("seal template: %w: %d bytes, want %d to %d", ErrTemplate, len(template), MinTemplateSize, MaxTemplateSize)
	case !isCode(1, MaxNumber)(p.Number):
		return fmt.Errorf("seal template: %w: the pass has no number", ErrTemplate)
	case !isModel(p.Model):
		return fmt.Errorf("seal template: %w: the pass names no model", ErrTemplate)
	}
	aead, err := k.aead()
	if err != nil {
		return fmt.Errorf("seal template: %w", err)
	}
	out := make([]byte, templateKeyID+templateNonce, templateOverhead+len(template))
	copy(out, k.id[:])
	nonce := out[templateKeyID:]
	_, _ = rand.Read(nonce)
	p.SealedTemplate = aead.Seal(out, nonce, template, k.bound(*p))
	return nil
}

func (k TemplateKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.secret[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// bound is the additional data: neither text can hold a zero, so no two pairs
// give the same bytes.
func (k TemplateKey) bound(p Pass) []byte {
	return slices.Concat([]byte(templateContext), k.id[:], []byte(p.Number), []byte{0}, []byte(p.Model))
}

// TemplateKeys are those a gate or an office holds: the first seals, all open.
// The zero value holds none.
type TemplateKeys struct{ keys []TemplateKey }

// ParseTemplateKeys reads PEM blocks of type TemplateKeyPEM, and refuses any
// other: a file of several kinds is a mistake to look at.
func ParseTemplateKeys(b []byte) (TemplateKeys, error) {
	var ks TemplateKeys
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		b = rest
		if block.Type != TemplateKeyPEM || len(block.Bytes) != TemplateKeySize || len(block.Headers) > 0 {
			return TemplateKeys{}, fmt.Errorf("parse template keys: %w: a block is not of %d bytes and type %s", ErrTemplateKey, TemplateKeySize, TemplateKeyPEM)
		}
		k := templateKeyOf([TemplateKeySize]byte(block.Bytes))
		if _, double := ks.find(k.id[:]); double || len(ks.keys) == MaxTemplateKeys {
			return TemplateKeys{}, fmt.Errorf("parse template keys: %w: a key twice, or more than %d", ErrTemplateKey, MaxTemplateKeys)
		}
		ks.keys = append(ks.keys, k)
	}
	if len(ks.keys) == 0 || len(bytes.TrimSpace(b)) > 0 {
		return TemplateKeys{}, fmt.Errorf("parse template keys: %w: no PEM block, or something after the last", ErrTemplateKey)
	}
	return ks, nil
}

// Len is the number of keys.
func (ks TemplateKeys) Len() int { return len(ks.keys) }

// First is the key that seals; ok is false when there is none.
func (ks TemplateKeys) First() (k TemplateKey, ok bool) {
	if len(ks.keys) == 0 {
		return TemplateKey{}, false
	}
	return ks.keys[0], true
}

func (ks TemplateKeys) find(id []byte) (TemplateKey, bool) {
	for _, k := range ks.keys {
		if bytes.Equal(k.id[:], id) {
			return k, true
		}
	}
	return TemplateKey{}, false
}

// Open returns the bytes of the pass's template. The caller compares p.Model with its own recogniser before using them.
func (ks TemplateKeys) Open(p Pass) ([]byte, error) {
	b := p.SealedTemplate
	switch {
	case len(b) == 0:
		return nil, fmt.Errorf("open template: %w", ErrNoTemplate)
	case len(b) < MinTemplateSize+templateOverhead || len(b) > MaxTemplate:
		return nil, fmt.Errorf("open template: %w: %d bytes, want %d to %d", ErrTemplate, len(b), MinTemplateSize+templateOverhead, MaxTemplate)
	}
	k, ok := ks.find(b[:templateKeyID])
	if !ok {
		return nil, fmt.Errorf("open template: %w", ErrTemplateKeyUnknown)
	}
	aead, err := k.aead()
	if err != nil {
		return nil, fmt.Errorf("open template: %w", err)
	}
	b = b[templateKeyID:]
	plain, err := aead.Open(nil, b[:templateNonce], b[templateNonce:], k.bound(p))
	if err != nil {
		return nil, fmt.Errorf("open template: %w", ErrTemplate) // the cipher's text says no more
	}
	return plain, nil
}
