// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {ILegacyMintableERC20, IOptimismMintableERC20} from "./IOptimismMintableERC20.sol";

/// @title OptimismMintableERC20
/// @notice A token that stands for one of L1: the bridge mints it when the
///         other is deposited there and burns it when it is withdrawn.
/// @dev OP Stack specification, "OptimismMintableERC20".
contract OptimismMintableERC20 is ERC20Permit, IOptimismMintableERC20, ILegacyMintableERC20, IERC165 {
    /// @notice The caller is not the bridge.
    error NotTheBridge(address caller);

    /// @notice Tokens were minted for a deposit.
    event Mint(address indexed account, uint256 amount);
    /// @notice Tokens were burned for a withdrawal.
    event Burn(address indexed account, uint256 amount);

    /// @notice The token of L1 that this one stands for.
    address public immutable REMOTE_TOKEN;
    /// @notice The bridge of L2.
    address public immutable BRIDGE;
    uint8 private immutable DECIMALS;

    /// @param bridge_      The bridge of L2.
    /// @param remoteToken_ The token of L1.
    /// @param name_        Name.
    /// @param symbol_      Symbol.
    /// @param decimals_    Decimals; those of the remote token.
    constructor(address bridge_, address remoteToken_, string memory name_, string memory symbol_, uint8 decimals_)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        REMOTE_TOKEN = remoteToken_;
        BRIDGE = bridge_;
        DECIMALS = decimals_;
    }

    modifier onlyBridge() {
        if (msg.sender != BRIDGE) revert NotTheBridge(msg.sender);
        _;
    }

    /// @notice Mints tokens for a deposit. For the bridge.
    function mint(address _to, uint256 _amount)
        external
        override(IOptimismMintableERC20, ILegacyMintableERC20)
        onlyBridge
    {
        _mint(_to, _amount);
        emit Mint(_to, _amount);
    }

    /// @notice Burns tokens for a withdrawal. For the bridge, which takes them of its caller.
    function burn(address _from, uint256 _amount)
        external
        override(IOptimismMintableERC20, ILegacyMintableERC20)
        onlyBridge
    {
        _burn(_from, _amount);
        emit Burn(_from, _amount);
    }

    /// @notice The token of L1.
    function remoteToken() external view returns (address) {
        return REMOTE_TOKEN;
    }

    /// @notice The bridge of L2.
    function bridge() external view returns (address) {
        return BRIDGE;
    }

    /// @notice The token of L1, by its former name.
    function l1Token() external view returns (address) {
        return REMOTE_TOKEN;
    }

    /// @notice The bridge of L2, by its former name.
    function l2Bridge() external view returns (address) {
        return BRIDGE;
    }

    /// @notice ERC-165: this interface, its older form and ERC-165 itself.
    function supportsInterface(bytes4 _interfaceId) external pure returns (bool) {
        return _interfaceId == type(IERC165).interfaceId || _interfaceId == type(ILegacyMintableERC20).interfaceId
            || _interfaceId == type(IOptimismMintableERC20).interfaceId;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    /// @notice Decimals of the token.
    function decimals() public view override returns (uint8) {
        return DECIMALS;
    }
}
