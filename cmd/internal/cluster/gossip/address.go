package gossip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-sockaddr"
	"github.com/hashicorp/go-sockaddr/template"
)

const (
	defaultBind = "{{ GetPrivateIP }}:8946"
	defaultPort = 8946 // Dkron's
	loopback    = "127.0.0.1"
	lookupLimit = 10 * time.Second
)

// bindAddress says where to listen. A template that finds no address means loopback: a
// machine without a network has a cluster of its own.
func bindAddress(text string, log *slog.Logger) (host string, port int, err error) {
	if text == "" {
		text = defaultBind
	}
	found, err := evaluate(text)
	if err != nil {
		return "", 0, fmt.Errorf("bind-addr %q: %w", text, err)
	}
	host, port, err = splitAddress(found, defaultPort)
	if err != nil {
		return "", 0, fmt.Errorf("bind-addr %q: %w", text, err)
	}
	if host == "" && strings.Contains(text, "{{") {
		log.Info("this machine has no address of the kind that bind-addr asks for: other machines cannot reach it",
			"bind_addr", text, "listening_on", loopback)
		host = loopback
	}
	return host, port, nil
}

// advertiseAddress is what others are told: what the operator says, else where the member
// listens, else an address of the machine.
func advertiseAddress(ctx context.Context, text, boundHost string, boundPort int) (netip.AddrPort, error) {
	host, port := boundHost, boundPort
	if text != "" {
		found, err := evaluate(text)
		if err == nil {
			host, port, err = splitAddress(found, boundPort)
		}
		if err == nil && host == "" {
			err = fmt.Errorf("it names no host")
		}
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("advertise-addr %q: %w", text, err)
		}
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = machineAddress()
	}
	ips, err := lookup(ctx, host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("the address that others are told, %s: %w", host, err)
	}
	return netip.AddrPortFrom(ips[0], uint16(port)), nil
}

// machineAddress is an address by which others may reach a machine.
func machineAddress() string {
	for _, find := range []func() (string, error){sockaddr.GetPrivateIP, sockaddr.GetPublicIP} {
		if ip, err := find(); err == nil && ip != "" {
			return ip
		}
	}
	return loopback
}

// evaluate fills in a go-sockaddr template. It must come to one address.
func evaluate(text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	found, err := template.Parse(text)
	if err != nil {
		return "", err
	}
	found = strings.TrimSpace(found)
	if strings.ContainsAny(found, " \t\n,") {
		return "", fmt.Errorf("it comes to several addresses, %q: want one", found)
	}
	return found, nil
}

// splitAddress parses "host", "host:port", "[ip]:port", and an IPv6 address with or
// without a port, as templates make them.
func splitAddress(text string, port int) (string, int, error) {
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return ip.String(), port, nil
	}
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return text, port, nil
	}
	host := strings.Trim(text[:colon], "[]")
	n, err := strconv.ParseUint(text[colon+1:], 10, 16)
	if _, notIP := netip.ParseAddr(host); err != nil || strings.Contains(host, ":") && notIP != nil {
		return "", 0, fmt.Errorf("%q is no address: want host:port, with a port up to 65535", text)
	}
	return host, int(n), nil
}

// lookup finds all addresses of a host, IPv4 first.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var four, six []netip.Addr
	for _, ip := range found {
		if ip = ip.Unmap(); ip.Is4() {
			four = append(four, ip)
		} else {
			six = append(six, ip)
		}
	}
	if found = append(four, six...); len(found) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return found, nil
}
