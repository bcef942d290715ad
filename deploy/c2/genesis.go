package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"

	sdkmath "cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	feetypes "github.com/cosmos/evm/x/feemarket/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

const (
	baseDenom    = "atok" // 1e-18 tok: what Ethereum calls wei
	displayDenom = "tok"
)

// genesisSpec is what a network is made of, apart from its validators.
type genesisSpec struct {
	chainID   uint64
	gasLimit  int64
	funded    map[common.Address]*big.Int
	deployers []common.Address // nobody else may create contracts
}

func cometChainID(evmChainID uint64) string { return fmt.Sprintf("c2-%d", evmChainID) }

// build returns the genesis file's content for the given validators.
func (s genesisSpec) build(validators []cmttypes.GenesisValidator) (*genutiltypes.AppGenesis, error) {
	cdc := newEncoding(s.chainID).Codec
	accounts, bank, err := s.accounts()
	if err != nil {
		return nil, err
	}
	evm := s.evm()
	if err := evm.Validate(); err != nil {
		return nil, err
	}
	state, err := json.Marshal(map[string]json.RawMessage{
		authtypes.ModuleName: marshal(cdc, accounts),
		banktypes.ModuleName: marshal(cdc, bank),
		feetypes.ModuleName:  marshal(cdc, freeOfCharge()),
		evmtypes.ModuleName:  marshal(cdc, evm),
	})
	if err != nil {
		return nil, err
	}
	params := cmttypes.DefaultConsensusParams()
	params.Block.MaxGas = s.gasLimit
	genesis := genutiltypes.NewAppGenesisWithVersion(cometChainID(s.chainID), state)
	genesis.AppName, genesis.AppVersion = "c2d", version
	genesis.GenesisTime = time.Now().UTC().Truncate(time.Second)
	genesis.InitialHeight = 1
	genesis.Consensus = &genutiltypes.ConsensusGenesis{Validators: validators, Params: params}
	return genesis, nil
}

// accounts are those that are funded, and their balances. An account that genesis does
// not know may have one transaction under way at a time.
func (s genesisSpec) accounts() (*authtypes.GenesisState, *banktypes.GenesisState, error) {
	accounts := authtypes.GenesisAccounts{}
	var balances []banktypes.Balance
	for address, amount := range s.funded {
		account := authtypes.NewBaseAccountWithAddress(sdk.AccAddress(address.Bytes()))
		accounts = append(accounts, account)
		balances = append(balances, banktypes.Balance{Address: account.Address,
			Coins: sdk.NewCoins(sdk.NewCoin(baseDenom, sdkmath.NewIntFromBigInt(amount)))})
	}
	packed, err := authtypes.PackAccounts(authtypes.SanitizeGenesisAccounts(accounts))
	bank := banktypes.DefaultGenesisState()
	bank.Balances = banktypes.SanitizeGenesisBalances(balances)
	bank.DenomMetadata = []banktypes.Metadata{{
		Base: baseDenom, Display: displayDenom, Name: "Token", Symbol: "TOK", Description: "gas token",
		DenomUnits: []*banktypes.DenomUnit{{Denom: baseDenom}, {Denom: displayDenom, Exponent: 18}},
	}}
	return &authtypes.GenesisState{Params: authtypes.DefaultParams(), Accounts: packed}, bank, err
}

// freeOfCharge asks for no fee, and reports the gas that was really used.
func freeOfCharge() *feetypes.GenesisState {
	fees := feetypes.DefaultGenesisState()
	fees.Params.NoBaseFee = true
	fees.Params.BaseFee = sdkmath.LegacyZeroDec()
	fees.Params.MinGasMultiplier = sdkmath.LegacyZeroDec()
	return fees
}

// evm lets only the deployers create contracts, inner creations included.
func (s genesisSpec) evm() *evmtypes.GenesisState {
	evm := evmtypes.DefaultGenesisState()
	evm.Params.EvmDenom = baseDenom
	evm.Params.ExtendedDenomOptions = nil
	evm.Params.ActiveStaticPrecompiles = []string{evmtypes.P256PrecompileAddress}
	evm.Preinstalls = evmtypes.DefaultPreinstalls
	create := &evm.Params.AccessControl.Create
	create.AccessType = evmtypes.AccessTypePermissioned
	for _, deployer := range s.deployers {
		create.AccessControlList = append(create.AccessControlList, deployer.Hex())
	}
	return evm
}

func marshal(cdc codec.JSONCodec, message codec.ProtoMarshaler) json.RawMessage {
	return cdc.MustMarshalJSON(message)
}

// parseAddresses reads "0x..,0x..".
func parseAddresses(list []string) ([]common.Address, error) {
	var out []common.Address
	for _, text := range list {
		if !common.IsHexAddress(text) {
			return nil, fmt.Errorf("%q is not an address", text)
		}
		out = append(out, common.HexToAddress(text))
	}
	return out, nil
}

// parseFunds reads "0x..=amount in wei".
func parseFunds(list []string) (map[common.Address]*big.Int, error) {
	out := map[common.Address]*big.Int{}
	for _, text := range list {
		address, amount, _ := strings.Cut(text, "=")
		wei, ok := new(big.Int).SetString(amount, 10)
		if !common.IsHexAddress(address) || !ok {
			return nil, fmt.Errorf("%q is not address=wei", text)
		}
		out[common.HexToAddress(address)] = wei
	}
	return out, nil
}
