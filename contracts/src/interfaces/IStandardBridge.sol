// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IStandardBridge
/// @notice What one standard bridge has the other do.
/// @dev OP Stack specification, "Standard bridges".
interface IStandardBridge {
    /// @notice Pays ether that was sent on the other layer, out of the value of this call.
    function finalizeBridgeETH(address from, address to, uint256 amount, bytes calldata extraData) external payable;

    /// @notice Pays or issues tokens that were sent on the other layer. `localToken` is of
    ///         the layer that is called.
    function finalizeBridgeERC20(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes calldata extraData
    ) external;
}
