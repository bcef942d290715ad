// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

/// @title Digests of status lists that are kept elsewhere
/// @notice Says which version of a W3C Bitstring Status List was current when. The list itself is served off
/// chain, has at least 131,072 entries at random places, and decoys flip with the rest, so a digest says
/// nothing about anybody.
/// @dev There is no bit on chain on purpose: whoever knew a place would learn when it flipped.
contract RevocationBook is AccessControl {
    /// @notice The last version of a list.
    struct List {
        uint64 version;
        uint48 time;
    }

    /// @notice May publish. A hot key that can do nothing else.
    bytes32 public constant PUBLISHER = keccak256("PUBLISHER");

    mapping(bytes32 listId => List) private _lists;

    /// @notice Version `version` of the list has this digest.
    /// @param listDigest SHA-256 of the status list credential as it is served.
    event ListPublished(bytes32 indexed listId, uint64 indexed version, bytes32 indexed listDigest);

    /// @notice The next version of the list is `want`.
    error RevocationBookVersionMismatch(uint64 want, uint64 got);
    /// @notice A digest of nothing.
    error RevocationBookEmpty();

    /// @param admin Gives and takes roles; a cold key, to be handed on later.
    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @notice The last version of a list; all zero before the first.
    function listOf(bytes32 listId) external view returns (List memory) {
        return _lists[listId];
    }

    /// @notice Publish the next version of a list.
    /// @param version The last one's plus one; 1 for the first.
    function publishList(bytes32 listId, uint64 version, bytes32 listDigest)
        external
        onlyRole(PUBLISHER)
    {
        uint64 want = _lists[listId].version + 1;
        if (version != want) revert RevocationBookVersionMismatch(want, version);
        if (listDigest == bytes32(0)) revert RevocationBookEmpty();
        _lists[listId] = List(version, uint48(block.timestamp));
        emit ListPublished(listId, version, listDigest);
    }
}
