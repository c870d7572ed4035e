// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @notice OpenZeppelin's ERC-20. Balances stand in slot 0, allowances in slot 1.
contract Coin is ERC20 {
    constructor() ERC20("Coin", "COIN") {
        _mint(msg.sender, 1e30);
    }
}

/// @notice OpenZeppelin's ERC-721; everybody mints the next one. The counter stands in
/// slot 6.
contract Badge is ERC721 {
    uint256 public count;

    constructor() ERC721("Badge", "BADGE") {}

    function mint() external returns (uint256 id) {
        id = ++count;
        _mint(msg.sender, id);
    }
}

interface Token {
    function transfer(address to, uint256 value) external returns (bool);
    function transferFrom(address from, address to, uint256 value) external returns (bool);
    function balanceOf(address owner) external view returns (uint256);
}

/// @notice A constant-product pair as in Uniswap v2: packed reserves, price
/// accumulators, a lock, optimistic payment and a fee of 0.3 %. Liquidity does not
/// change: the state in which it starts is given.
contract Pair {
    event Swapped(
        address indexed sender, uint256 in0, uint256 in1, uint256 out0, uint256 out1, address indexed to
    );
    event Synced(uint112 reserve0, uint112 reserve1);

    error Locked();
    error Refused();

    uint256 private unlocked; // slot 0: 1 when nobody is inside
    address public token0; // slot 1
    address public token1; // slot 2
    uint112 private reserve0; // slot 3, packed
    uint112 private reserve1;
    uint32 private updated;
    uint256 public cumulative0; // slot 4
    uint256 public cumulative1; // slot 5

    modifier lock() {
        if (unlocked != 1) revert Locked();
        unlocked = 0;
        _;
        unlocked = 1;
    }

    function getReserves() public view returns (uint112, uint112, uint32) {
        return (reserve0, reserve1, updated);
    }

    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external lock {
        if (out0 + out1 == 0 || out0 >= reserve0 || out1 >= reserve1 || data.length > 0) revert Refused();
        (address a, address b) = (token0, token1);
        if (to == a || to == b) revert Refused();
        if (out0 > 0) pay(a, to, out0);
        if (out1 > 0) pay(b, to, out1);
        (uint256 in0, uint256 in1) =
            settle(Token(a).balanceOf(address(this)), Token(b).balanceOf(address(this)), out0, out1);
        emit Swapped(msg.sender, in0, in1, out0, out1, to);
    }

    /// Checks the balances after the payment and makes them the reserves.
    function settle(uint256 have0, uint256 have1, uint256 out0, uint256 out1)
        private
        returns (uint256 in0, uint256 in1)
    {
        (uint112 had0, uint112 had1,) = getReserves();
        in0 = have0 > had0 - out0 ? have0 - (had0 - out0) : 0;
        in1 = have1 > had1 - out1 ? have1 - (had1 - out1) : 0;
        if (
            in0 + in1 == 0 || have0 > type(uint112).max || have1 > type(uint112).max
                || (have0 * 1000 - in0 * 3) * (have1 * 1000 - in1 * 3) < uint256(had0) * had1 * 1e6
        ) revert Refused();
        unchecked {
            uint32 elapsed = uint32(block.timestamp) - updated;
            if (elapsed > 0) {
                cumulative0 += ((uint256(had1) << 112) / had0) * elapsed;
                cumulative1 += ((uint256(had0) << 112) / had1) * elapsed;
            }
        }
        (reserve0, reserve1, updated) = (uint112(have0), uint112(have1), uint32(block.timestamp));
        emit Synced(reserve0, reserve1);
    }

    function pay(address token, address to, uint256 value) private {
        (bool ok, bytes memory answer) = token.call(abi.encodeCall(Token.transfer, (to, value)));
        if (!ok || (answer.length > 0 && !abi.decode(answer, (bool)))) revert Refused();
    }
}

interface AnyPair {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function getReserves() external view returns (uint112, uint112, uint32);
    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external;
}

/// @notice What a router does: the price, the payment, the swap.
contract Router {
    function sell(AnyPair pair, bool first, uint256 paid) external returns (uint256 bought) {
        (uint112 r0, uint112 r1,) = pair.getReserves();
        (uint256 from, uint256 to) = first ? (r0, r1) : (r1, r0);
        uint256 net = paid * 997;
        bought = (net * to) / (from * 1000 + net);
        Token token = Token(first ? pair.token0() : pair.token1());
        require(token.transferFrom(msg.sender, address(pair), paid), "payment");
        pair.swap(first ? 0 : bought, first ? bought : 0, msg.sender, "");
    }
}
