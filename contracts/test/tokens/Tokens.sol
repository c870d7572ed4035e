// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A well-behaved token.
contract PlainToken is ERC20 {
    constructor() ERC20("Plain", "PLN") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Takes a hundredth of each transfer.
contract FeeToken is ERC20 {
    constructor() ERC20("Fee", "FEE") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0) || to == address(0)) {
            super._update(from, to, amount);
            return;
        }
        super._update(from, to, amount - amount / 100);
        super._update(from, address(0xFEE), amount / 100);
    }
}

/// @notice Takes a hundredth on top of each transfer, from the sender.
contract SurchargeToken is ERC20 {
    constructor() ERC20("Surcharge", "SUR") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0)) super._update(from, address(0xFEE), amount / 100);
    }
}

/// @notice Balances shrink when its owner says so.
contract RebasingToken is ERC20 {
    constructor() ERC20("Rebasing", "REB") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function shrink(address account, uint256 amount) external {
        _burn(account, amount);
    }
}

/// @notice Books an account's interest with the next transfer to it.
contract AccruingToken is ERC20 {
    mapping(address account => uint256) internal interest;

    constructor() ERC20("Accruing", "ACC") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function accrue(address account, uint256 amount) external {
        interest[account] += amount;
    }

    function _update(address from, address to, uint256 amount) internal override {
        uint256 booked = interest[to];
        interest[to] = 0;
        super._update(from, to, amount);
        if (booked != 0) super._update(address(0), to, booked);
    }
}

/// @notice Returns nothing, as some early tokens do.
contract NoReturnToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Says no instead of reverting.
contract FalseToken {
    mapping(address => uint256) public balanceOf;

    function transfer(address, uint256) external pure returns (bool) {
        return false;
    }

    function transferFrom(address, address, uint256) external pure returns (bool) {
        return false;
    }
}

/// @notice Makes one call of its owner's choice in the middle of a transfer.
contract ReentrantToken is ERC20 {
    address internal target;
    bytes internal data;
    bool public succeeded;

    constructor() ERC20("Reentrant", "REE") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function arm(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        address t = target;
        if (t != address(0)) {
            target = address(0);
            (succeeded,) = t.call(data);
        }
        super._update(from, to, amount);
    }
}
