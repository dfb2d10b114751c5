package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Class is a class of data with a retention time of its own. It is an alias so
// that a record's plain field fits without conversion.
type Class = uint8

// The classes of personal data. The numbers are stored in records and file
// names and never change.
const (
	ClassCrossing Class = iota + 1 // who crossed, when, where, how decided
	ClassImage                     // face images kept as evidence
	ClassAlarm                     // what an alarm says about a person
	ClassAccounts                  // transfers of account data
	classEnd
)

// KeySize is the size of every symmetric key in bytes.
const KeySize = 32

// Overhead is by how many bytes a sealed text is longer than its plain text.
const Overhead = 12 + 16

// Errors of sealing and opening.
var (
	// ErrDestroyed says that the day's key was destroyed: the data is deleted.
	ErrDestroyed = errors.New("key of that class and day was destroyed")
	// ErrNoKey says that the day never had a key here.
	ErrNoKey = errors.New("no key of that class and day")
	// ErrOpen says that a sealed text is damaged, or was sealed under another
	// key or for another purpose.
	ErrOpen = errors.New("sealed data does not open")
	// ErrClass says that a class is none of this version's.
	ErrClass = errors.New("unknown class of data")
)

// Classes lists every class in order.
func Classes() []Class {
	return []Class{ClassCrossing, ClassImage, ClassAlarm, ClassAccounts}
}

// Day is the number of days from 1970-01-01 UTC to t; times before that are
// day 0.
func Day(t time.Time) uint32 {
	if s := t.Unix(); s > 0 {
		return uint32(s / 86400)
	}
	return 0
}

// DayKey opens what was sealed for one class and day. It is what headquarters
// gets from OpenWrapped.
type DayKey struct {
	Class Class
	Day   uint32
	raw   [KeySize]byte
	aead  cipher.AEAD
}

func newDayKey(class Class, day uint32, raw []byte) (*DayKey, error) {
	k := &DayKey{Class: class, Day: day}
	if len(raw) != KeySize {
		return nil, fmt.Errorf("%w: key of %d bytes", ErrOpen, len(raw))
	}
	copy(k.raw[:], raw)
	aead, err := newGCM(raw)
	if err != nil {
		return nil, err
	}
	k.aead = aead
	return k, nil
}

// Open opens what Vault.Seal made for the key's class and day with the same
// aad.
func (k *DayKey) Open(aad, sealed []byte) ([]byte, error) {
	plain, err := k.aead.Open(nil, nil, sealed, k.bind(aad))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// seal appends a fresh nonce, the ciphertext and its tag. 2^32 texts a day and
// class are the limit of random nonces; a gate makes fewer than 2^20.
func (k *DayKey) seal(aad, plain []byte) []byte {
	return k.aead.Seal(nil, nil, plain, k.bind(aad))
}

// bind puts class and day in front of the caller's aad, so that neither can be
// relabelled.
func (k *DayKey) bind(aad []byte) []byte {
	b := make([]byte, 0, 5+len(aad))
	b = append(b, k.Class)
	b = binary.BigEndian.AppendUint32(b, k.Day)
	return append(b, aad...)
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
