package vault

import (
	"crypto/hpke"
	"encoding/binary"
	"fmt"
)

// WrapFor seals the key of class and day to pub (HPKE base mode, RFC 9180,
// KEM as of pub, HKDF-SHA256, AES-256-GCM), so that its owner can open what is
// sealed for that day. It makes no key: ErrNoKey if the day has none.
func (v *Vault) WrapFor(class Class, day uint32, pub hpke.PublicKey) ([]byte, error) {
	v.life.RLock()
	defer v.life.RUnlock()
	k, err := v.key(class, day, false)
	if err != nil {
		return nil, err
	}
	sealed, err := SealTo(pub, wrapInfo(class, day), k.raw[:])
	if err != nil {
		return nil, fmt.Errorf("wrap day key: %w", err)
	}
	return sealed, nil
}

// OpenWrapped is the other end of WrapFor. A key that was wrapped for another
// class, day or receiver gives ErrOpen.
func OpenWrapped(priv hpke.PrivateKey, class Class, day uint32, sealed []byte) (*DayKey, error) {
	raw, err := OpenFrom(priv, wrapInfo(class, day), sealed)
	if err != nil {
		return nil, err
	}
	return newDayKey(class, day, raw)
}

func wrapInfo(class Class, day uint32) []byte {
	b := append([]byte("bordergate day key 1\x00"), class)
	return binary.BigEndian.AppendUint32(b, day)
}

// SealTo seals plain to pub with HPKE (base mode, HKDF-SHA256, AES-256-GCM).
// Info names the purpose and must be the same at OpenFrom.
func SealTo(pub hpke.PublicKey, info, plain []byte) ([]byte, error) {
	return hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), info, plain)
}

// OpenFrom opens what SealTo made; anything else gives ErrOpen.
func OpenFrom(priv hpke.PrivateKey, info, sealed []byte) ([]byte, error) {
	plain, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
