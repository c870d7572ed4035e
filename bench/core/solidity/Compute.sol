// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Every program of the compute group takes a size and answers with one word,
/// so that two machines which disagree are seen.
interface Program {
    function run(uint256 n) external returns (uint256);
}

/// @notice The n-th Fibonacci number modulo 2^256, in a loop.
contract Fibonacci is Program {
    function run(uint256 n) external pure returns (uint256 a) {
        uint256 b = 1;
        unchecked {
            for (uint256 i; i < n; ++i) {
                (a, b) = (b, a + b);
            }
        }
    }
}

/// @notice The n-th Fibonacci number by two calls to itself: internal functions.
contract Recursion is Program {
    function run(uint256 n) external pure returns (uint256) {
        return fibonacci(n);
    }

    function fibonacci(uint256 n) private pure returns (uint256) {
        return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
    }
}

/// @notice The number of primes below n, with one word of memory for each number.
contract Sieve is Program {
    function run(uint256 n) external pure returns (uint256 count) {
        bool[] memory composite = new bool[](n);
        for (uint256 i = 2; i < n; i++) {
            if (composite[i]) continue;
            count++;
            for (uint256 j = i * i; j < n; j += i) {
                composite[j] = true;
            }
        }
    }
}

/// @notice What both sorts sort: n words from a linear congruential generator.
abstract contract Sorter {
    function numbers(uint256 n) internal pure returns (uint256[] memory list) {
        list = new uint256[](n);
        uint256 seed = 42;
        for (uint256 i; i < n; i++) {
            seed = (seed * 1103515245 + 12345) % 2147483648;
            list[i] = seed;
        }
    }

    function digest(uint256[] memory list) internal pure returns (uint256 sum) {
        for (uint256 i; i < list.length; i++) {
            require(i == 0 || list[i - 1] <= list[i], "not sorted");
            sum += list[i] * (i + 1);
        }
    }
}

/// @notice Bubble sort of n words.
contract BubbleSort is Program, Sorter {
    function run(uint256 n) external pure returns (uint256) {
        uint256[] memory list = numbers(n);
        for (uint256 i; i < n; i++) {
            for (uint256 j = 0; j + 1 < n - i; j++) {
                if (list[j] > list[j + 1]) (list[j], list[j + 1]) = (list[j + 1], list[j]);
            }
        }
        return digest(list);
    }
}

/// @notice Quicksort of n words.
contract QuickSort is Program, Sorter {
    function run(uint256 n) external pure returns (uint256) {
        uint256[] memory list = numbers(n);
        sort(list, 0, int256(n) - 1);
        return digest(list);
    }

    function sort(uint256[] memory list, int256 left, int256 right) private pure {
        if (left >= right) return;
        int256 i = left;
        int256 j = right;
        uint256 pivot = list[uint256(left + (right - left) / 2)];
        while (i <= j) {
            while (list[uint256(i)] < pivot) i++;
            while (pivot < list[uint256(j)]) j--;
            if (i <= j) {
                (list[uint256(i)], list[uint256(j)]) = (list[uint256(j)], list[uint256(i)]);
                i++;
                j--;
            }
        }
        sort(list, left, j);
        sort(list, i, right);
    }
}

/// @notice The product of two n×n matrices modulo a prime; answers with its sum.
contract Matrix is Program {
    uint256 private constant PRIME = 1000000007;

    function run(uint256 n) external pure returns (uint256 sum) {
        uint256[] memory a = new uint256[](n * n);
        uint256[] memory b = new uint256[](n * n);
        for (uint256 i; i < n * n; i++) {
            a[i] = i * 7 + 3;
            b[i] = i * 13 + 5;
        }
        for (uint256 i; i < n; i++) {
            for (uint256 j; j < n; j++) {
                uint256 cell;
                for (uint256 k; k < n; k++) {
                    cell += a[i * n + k] * b[k * n + j];
                }
                sum = (sum * 31 + cell) % PRIME;
            }
        }
    }
}

/// @notice n rounds of a 32-bit add-rotate-xor mixer in the manner of ChaCha.
contract Mixer is Program {
    function run(uint256 n) external pure returns (uint256) {
        uint32 a = 0x61707865;
        uint32 b = 0x3320646e;
        uint32 c = 0x79622d32;
        uint32 d = 0x6b206574;
        unchecked {
            for (uint256 i; i < n; ++i) {
                a += b;
                d = rotate(d ^ a, 16);
                c += d;
                b = rotate(b ^ c, 12);
                a += b;
                d = rotate(d ^ a, 8);
                c += d;
                b = rotate(b ^ c, 7);
            }
        }
        return (uint256(a) << 96) | (uint256(b) << 64) | (uint256(c) << 32) | d;
    }

    function rotate(uint32 x, uint8 by) private pure returns (uint32) {
        return (x << by) | (x >> (32 - by));
    }
}

/// @notice n hashes, each of the one before.
contract HashChain is Program {
    function run(uint256 n) external pure returns (uint256) {
        bytes32 word = bytes32(n);
        for (uint256 i; i < n; i++) {
            word = keccak256(abi.encode(word, i));
        }
        return uint256(word);
    }
}

/// @notice Encodes, decodes and joins n records with strings in them.
contract Strings is Program {
    struct Row {
        address owner;
        uint96 amount;
        string name;
    }

    function run(uint256 n) external pure returns (uint256) {
        bytes32 last;
        for (uint256 i; i < n; i++) {
            string memory name = string.concat("account ", decimal(i), " of ", decimal(n));
            bytes memory packed = abi.encode(Row(address(uint160(i * 977)), uint96(i * i), name));
            Row memory row = abi.decode(packed, (Row));
            require(bytes(row.name).length == bytes(name).length, "length");
            last = keccak256(abi.encodePacked(last, row.owner, row.amount, row.name));
        }
        return uint256(last);
    }

    function decimal(uint256 value) private pure returns (string memory) {
        if (value == 0) return "0";
        uint256 length;
        for (uint256 v = value; v > 0; v /= 10) {
            length++;
        }
        bytes memory digits = new bytes(length);
        for (; value > 0; value /= 10) {
            digits[--length] = bytes1(uint8(48 + value % 10));
        }
        return string(digits);
    }
}

/// @notice n checked 256-bit operations of fixed-point interest.
contract Interest is Program {
    uint256 private constant ONE = 1e27;

    function run(uint256 n) external pure returns (uint256 index) {
        index = ONE;
        for (uint256 i; i < n; i++) {
            uint256 rate = ONE + ((i % 97) * 1e18) + 1e15;
            index = (index * rate + ONE / 2) / ONE;
            if (index > 1e36) index = index / 1e9 + 1;
        }
    }
}

/// @notice n updates of a mapping and an array in storage, over 64 keys.
contract Ledger is Program {
    mapping(uint256 => uint256) private balances;
    uint256[64] private totals;

    function run(uint256 n) external returns (uint256 sum) {
        for (uint256 i; i < n; i++) {
            uint256 key = (i * 37) % 64;
            balances[key] += i;
            totals[(key + 1) % 64] = balances[key] + 1;
        }
        for (uint256 i; i < 64; i++) {
            sum += balances[i] + totals[i];
        }
    }
}

/// @notice Answers the caller; the callee of Caller.
contract Callee {
    function next(uint256 x) external pure returns (uint256) {
        unchecked {
            return x * 6364136223846793005 + 1442695040888963407;
        }
    }
}

/// @notice n calls of another contract, with the encoding that Solidity puts around.
contract Caller is Program {
    Callee private constant CALLEE = Callee(0x00000000000000000000000000000000000cA11E);

    function run(uint256 n) external pure returns (uint256 x) {
        for (uint256 i; i < n; i++) {
            x = CALLEE.next(x);
        }
    }
}
