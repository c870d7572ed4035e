// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BenchToken} from "token.sol";

/// @notice Gives many accounts wei and units of a token in one transaction.
contract BenchFunder {
    error Refused(address to);

    /// @param token whose units the caller has approved, or zero
    function spread(BenchToken token, address[] calldata to, uint256 eachWei, uint256 eachUnits) external payable {
        for (uint256 i; i < to.length; i++) {
            if (eachWei != 0) {
                (bool ok,) = to[i].call{value: eachWei}("");
                if (!ok) revert Refused(to[i]);
            }
            if (eachUnits != 0) token.transferFrom(msg.sender, to[i], eachUnits);
        }
    }
}

/// @notice A token that its pair may move without an approval, so that traders need none.
contract BenchPairToken is BenchToken {
    address public immutable pair = msg.sender;

    function transferFrom(address from, address to, uint256 value) external override returns (bool) {
        if (msg.sender != pair) spend(from, value);
        move(from, to, value);
        return true;
    }
}

/// @notice A constant-product pair with a fee of 0.3 %, for trades of one token for the other.
contract BenchPair {
    event Swap(address indexed trader, uint256 amountIn, uint256 amountOut);
    event Sync(uint112 reserve0, uint112 reserve1);

    error TooLittle(uint256 amountOut, uint256 least);

    BenchPairToken public immutable token0 = new BenchPairToken();
    BenchPairToken public immutable token1 = new BenchPairToken();
    uint112 public reserve0 = 1e24;
    uint112 public reserve1 = 1e24;

    constructor() {
        token0.transfer(msg.sender, token0.totalSupply() - reserve0);
        token1.transfer(msg.sender, token1.totalSupply() - reserve1);
    }

    /// @notice Sells token0 for token1. The result is rounded down.
    function swap(uint256 amountIn, uint256 least) external returns (uint256 amountOut) {
        (uint256 r0, uint256 r1) = (reserve0, reserve1);
        uint256 taxed = amountIn * 997;
        amountOut = (taxed * r1) / (r0 * 1000 + taxed);
        if (amountOut < least) revert TooLittle(amountOut, least);
        token0.transferFrom(msg.sender, address(this), amountIn);
        token1.transfer(msg.sender, amountOut);
        reserve0 = uint112(r0 + amountIn);
        reserve1 = uint112(r1 - amountOut);
        emit Swap(msg.sender, amountIn, amountOut);
        emit Sync(reserve0, reserve1);
    }
}

/// @notice Work of one kind: arithmetic and hashing, or new storage slots.
contract BenchWork {
    /// @notice Result of all calls of compute by an account.
    mapping(address => uint256) public digest;
    /// @notice How many slots an account has written.
    mapping(address => uint256) public written;
    mapping(address => mapping(uint256 => uint256)) public slots;

    /// @notice Chains rounds of multiply, add and keccak256 onto the caller's digest.
    function compute(uint256 rounds) external {
        uint256 h = digest[msg.sender];
        unchecked {
            for (uint256 i; i < rounds; i++) h = uint256(keccak256(abi.encode(h * h + i)));
        }
        digest[msg.sender] = h;
    }

    /// @notice Writes n slots that were never written.
    function write(uint256 n) external {
        uint256 first = written[msg.sender];
        for (uint256 i = first; i < first + n; i++) slots[msg.sender][i] = i + 1;
        written[msg.sender] = first + n;
    }
}
