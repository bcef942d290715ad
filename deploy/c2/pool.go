package main

import (
	"fmt"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/baseapp"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	sdkante "github.com/cosmos/cosmos-sdk/x/auth/ante"

	monoante "github.com/cosmos/evm/ante/evm"
	evmmempool "github.com/cosmos/evm/mempool"
	evmserver "github.com/cosmos/evm/server"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// checkTransaction admits Ethereum transactions only.
func (app *App) checkTransaction(maxGasWanted uint64) sdk.AnteHandler {
	return func(ctx sdk.Context, tx sdk.Tx, simulate bool) (sdk.Context, error) {
		withOptions, ok := tx.(sdkante.HasExtensionOptionsTx)
		if !ok || len(withOptions.GetExtensionOptions()) != 1 ||
			withOptions.GetExtensionOptions()[0].GetTypeUrl() != sdk.MsgTypeURL(&evmtypes.ExtensionOptionsEthereumTx{}) {
			return ctx, sdkerrors.ErrUnauthorized.Wrap("this chain takes Ethereum transactions only")
		}
		evmParams, feeParams := app.evm.GetParams(ctx), app.fees.GetParams(ctx)
		check := monoante.NewEVMMonoDecorator(app.accounts, app.fees, app.evm, maxGasWanted, &evmParams, &feeParams)
		return check.AnteHandle(ctx, tx, simulate, app.announcePending)
	}
}

// withoutPanics turns a panic into an error. BaseApp does this when it runs a
// transaction; the pool's background check does not, and would stop the node.
func withoutPanics(check sdk.AnteHandler) sdk.AnteHandler {
	return func(ctx sdk.Context, tx sdk.Tx, simulate bool) (out sdk.Context, err error) {
		defer func() {
			if p := recover(); p != nil {
				out, err = ctx, fmt.Errorf("transaction check panicked: %v", p)
			}
		}()
		return check(ctx, tx, simulate)
	}
}

// usePool replaces CometBFT's transaction pool with the Ethereum one.
func (app *App) usePool(logger log.Logger, opts servertypes.AppOptions) {
	cfg := evmserver.ResolveMempoolConfig(app.AnteHandler(), opts, logger)
	cfg.AnteHandler = withoutPanics(cfg.AnteHandler)
	encoder := evmmempool.NewTxEncoder(app.enc.TxConfig)
	app.pool = evmmempool.NewMempool(app.CreateQueryContext, logger, app.evm, app.fees, app.enc.TxConfig,
		evmmempool.NewTxRechecker(cfg.AnteHandler, encoder), // the two recheckers must be distinct
		evmmempool.NewTxRechecker(cfg.AnteHandler, encoder),
		cfg, evmserver.GetCosmosPoolMaxTx(opts, logger))
	app.SetMempool(app.pool)
	app.SetPrepareProposal(baseapp.NewDefaultProposalHandler(app.pool, app.BaseApp).PrepareProposalHandler())
	app.SetInsertTxHandler(app.pool.NewInsertTxHandler(app.TxDecode))
	app.SetReapTxsHandler(app.pool.NewReapTxsHandler())
	app.SetCheckTxHandler(app.pool.NewCheckTxHandler(app.TxDecode, evmserver.GetMempoolCheckTxTimeout(opts, logger)))
}

// announcePending ends the checks of a transaction that enters the pool.
func (app *App) announcePending(ctx sdk.Context, tx sdk.Tx, simulate bool) (sdk.Context, error) {
	if ctx.IsCheckTx() && !ctx.IsReCheckTx() && !simulate {
		for _, listener := range app.listeners {
			listener(tx.GetMsgs()[0].(*evmtypes.MsgEthereumTx).Hash())
		}
	}
	return ctx, nil
}
