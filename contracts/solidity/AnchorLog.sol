// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

/// @title Heads of append-only logs, in order
/// @notice Says that a tree of a log had this root no later than this block. Each stream (a log, or a
/// generation of one) has a sequence that rises by one and a tree that never shrinks, so a repeated or a
/// late transaction changes nothing.
/// @dev Roots are kept in events only: a stranger needs the event, the contract needs the last head. No
/// parameter can carry text. What a root commits to must not be personal data; the caller answers for it.
contract AnchorLog is AccessControl {
    /// @notice The last head of a stream; one storage slot.
    struct Head {
        uint64 seq;
        uint64 treeSize;
        uint48 time;
    }

    /// @notice What is anchored of one stream.
    struct Anchor {
        bytes32 stream;
        uint64 seq;
        uint64 treeSize;
        bytes32 root;
        bytes32 metaDigest;
    }

    /// @notice May anchor. A hot key that can do nothing else.
    bytes32 public constant ANCHORER = keccak256("ANCHORER");

    mapping(bytes32 stream => Head) private _heads;

    /// @notice The log of `stream` has had a tree of `treeSize` entries with this root.
    /// @param metaDigest SHA-256 of the signed checkpoint.
    event Anchored(
        bytes32 indexed stream,
        uint64 indexed seq,
        bytes32 indexed root,
        uint64 treeSize,
        bytes32 metaDigest
    );

    /// @notice The next sequence number of the stream is `want`.
    error AnchorLogSeqMismatch(uint64 want, uint64 got);
    /// @notice A log only grows; this one had `had` entries.
    error AnchorLogTreeShrunk(uint64 had, uint64 got);
    /// @notice A root, and a digest, of nothing.
    error AnchorLogEmpty();

    /// @param admin Gives and takes roles; a cold key, to be handed on later.
    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @notice The last head of a stream; all zero before the first.
    function headOf(bytes32 stream) external view returns (Head memory) {
        return _heads[stream];
    }

    /// @notice Anchor one head.
    /// @param seq The last one's plus one; 1 for the first.
    function anchor(
        bytes32 stream,
        uint64 seq,
        uint64 treeSize,
        bytes32 root,
        bytes32 metaDigest
    ) external onlyRole(ANCHORER) {
        _anchor(stream, seq, treeSize, root, metaDigest);
    }

    /// @notice Anchor several heads in order, all or none.
    function anchorMany(Anchor[] calldata anchors) external onlyRole(ANCHORER) {
        for (uint256 i = 0; i < anchors.length; ++i) {
            Anchor calldata one = anchors[i];
            _anchor(one.stream, one.seq, one.treeSize, one.root, one.metaDigest);
        }
    }

    function _anchor(
        bytes32 stream,
        uint64 seq,
        uint64 treeSize,
        bytes32 root,
        bytes32 metaDigest
    ) private {
        Head memory last = _heads[stream];
        if (seq != last.seq + 1) revert AnchorLogSeqMismatch(last.seq + 1, seq);
        if (treeSize < last.treeSize) revert AnchorLogTreeShrunk(last.treeSize, treeSize);
        if (root == bytes32(0) || metaDigest == bytes32(0)) revert AnchorLogEmpty();
        _heads[stream] = Head(seq, treeSize, uint48(block.timestamp));
        emit Anchored(stream, seq, root, treeSize, metaDigest);
    }
}
