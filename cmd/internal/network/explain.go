package network

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// explain says what an operator can do about an address that cannot be had.
func explain(protocol, address string, err error) error {
	hint := ""
	switch _, port, _ := net.SplitHostPort(address); {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = fmt.Sprintf("; another agent or program has it (`ss -lnp 'sport = :%s'` says which): stop that one, or configure another port", port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "; no interface of this machine has that address: configure one that `ip address` lists"
	case errors.Is(err, syscall.EACCES):
		hint = "; ports below 1024 want the right to bind them: configure a higher one"
	}
	return fmt.Errorf("listen for %s on %s: %w%s", protocol, address, err, hint)
}
