namespace NanoFold.Tests.Cpu.Programs;

/// <summary>The eight tiles of AMX, and what the instructions do with them, as Intel's manual says it.</summary>
internal sealed unsafe class InterpretedTiles
{
    private const int Tiles = 8, MostRows = 16, RowBytes = 64;

    private readonly byte[][] _values = [.. Enumerable.Range(0, Tiles).Select(_ => new byte[MostRows * RowBytes])];
    private readonly int[] _rows = new int[Tiles], _bytes = new int[Tiles];

    /// <summary>Whether tiles are configured: they must not be at a program's end.</summary>
    public bool IsConfigured { get; private set; }

    public string Release()
    {
        IsConfigured = false;
        return "tilerelease";
    }

    /// <summary>Returns the name of the instruction.</summary>
    public string Run(int prefix, byte code, int target, int a, int b, byte* memory, ulong stride)
    {
        switch (code, prefix)
        {
            case (0x49, 0):
                Configure(memory);
                return "ldtilecfg";
            case (0x49, 3):
                Check(target);
                _values[target].AsSpan().Clear();
                return "tilezero";
            case (0x4b, 3):
                Load(target, memory, (nint)stride);
                return "tileloadd";
            case (0x4b, 2):
                Store(target, memory, (nint)stride);
                return "tilestored";
            case (0x5c, 2):
                DotPairs(target, a, b);
                return "tdpbf16ps";
            default:
                throw new InvalidOperationException($"unknown tile code {prefix} {code:x2}");
        }
    }

    private void Configure(byte* memory)
    {
        Assert.That(memory[0], Is.EqualTo(1), "palette");
        for (int i = 1; i < 16; i++)
        {
            Assert.That(memory[i], Is.Zero, "reserved, or where a load would go on");
        }

        for (int tile = 0; tile < Tiles; tile++)
        {
            _bytes[tile] = *(ushort*)(memory + 16 + 2 * tile);
            _rows[tile] = memory[48 + tile];
            Assert.That((_bytes[tile] <= RowBytes, _rows[tile] <= MostRows), Is.EqualTo((true, true)));
            _values[tile].AsSpan().Clear();
        }

        IsConfigured = true;
    }

    private void Load(int tile, byte* memory, nint stride)
    {
        Check(tile);
        _values[tile].AsSpan().Clear();
        for (int row = 0; row < _rows[tile]; row++)
        {
            new ReadOnlySpan<byte>(memory + row * stride, _bytes[tile]).CopyTo(_values[tile].AsSpan(row * RowBytes));
        }
    }

    private void Store(int tile, byte* memory, nint stride)
    {
        Check(tile);
        for (int row = 0; row < _rows[tile]; row++)
        {
            _values[tile].AsSpan(row * RowBytes, _bytes[tile]).CopyTo(new Span<byte>(memory + row * stride, _bytes[tile]));
        }
    }

    // The sums of even and of odd places are apart for the whole row, and both are joined before they are added.
    private void DotPairs(int target, int a, int b)
    {
        Shape(target, a, b);
        for (int row = 0; row < _rows[target]; row++)
        {
            for (int column = 0; column < _bytes[target] / 4; column++)
            {
                float even = 0, odd = 0;
                for (int k = 0; k < _bytes[a] / 4; k++)
                {
                    uint x = Word(a, row, k), y = Word(b, k, column);
                    even = UnitArithmetic.MultiplyAdd(UnitArithmetic.Single(x), UnitArithmetic.Single(y), even);
                    odd = UnitArithmetic.MultiplyAdd(UnitArithmetic.Single(x >> 16), UnitArithmetic.Single(y >> 16), odd);
                }

                float sum = UnitArithmetic.Flushed(even + odd), before = UnitArithmetic.Flushed(BitConverter.UInt32BitsToSingle(Word(target, row, column)));
                Put(target, row, column, BitConverter.SingleToUInt32Bits(UnitArithmetic.Flushed(before + sum)));
            }
        }
    }

    private void Shape(int target, int a, int b)
    {
        Check(target);
        Check(a);
        Check(b);
        Assert.That((target != a, target != b, a != b), Is.EqualTo((true, true, true)), "a tile has one part in a product");
        Assert.That((_rows[target], _bytes[target], _bytes[a] / 4), Is.EqualTo((_rows[a], _bytes[b], _rows[b])));
    }

    private void Check(int tile) => Assert.That((IsConfigured, _rows[tile] > 0, _bytes[tile] > 0), Is.EqualTo((true, true, true)), $"tile {tile}");

    private uint Word(int tile, int row, int column) => BitConverter.ToUInt32(_values[tile], row * RowBytes + 4 * column);

    private void Put(int tile, int row, int column, uint value) => BitConverter.TryWriteBytes(_values[tile].AsSpan(row * RowBytes + 4 * column), value);
}
