namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>Instructions of AMX: eight tiles of at most 16 rows of 64 bytes. The index of a tile's place holds the bytes from one row to the next.</summary>
internal static class TileCode
{
    private const int None = 0, F3 = 2, F2 = 3;

    /// <summary>The rows of each tile and their bytes, from 64 bytes; all tiles become 0.</summary>
    public static void ConfigureTiles(this Assembler w, Address place)
    {
        Prefix(w, None, 0, (int)(place.Index ?? Register.Rax), (int)place.Base);
        w.Bytes(0x49);
        w.Operand(0, place);
    }

    /// <summary>Gives the tiles back: after it switching threads is as cheap as without them.</summary>
    public static void ReleaseTiles(this Assembler w) => w.Bytes(0xc4, 0xe2, 0x78, 0x49, 0xc0);

    public static void ZeroTile(this Assembler w, int tile) => w.Bytes(0xc4, 0xe2, 0x7b, 0x49, (byte)(0xc0 | tile << 3));

    public static void LoadTile(this Assembler w, int tile, Address place) => Move(w, F2, tile, place);

    public static void StoreTile(this Assembler w, Address place, int tile) => Move(w, F3, tile, place);

    /// <summary>target += a · b of bfloat16, b in pairs of rows: tdpbf16ps.</summary>
    public static void DotPairTiles(this Assembler w, int target, int a, int b)
    {
        Prefix(w, F3, b, 0, 0);
        w.Bytes(0x5c, (byte)(0xc0 | target << 3 | a));
    }

    private static void Move(Assembler w, int prefix, int tile, Address place)
    {
        Prefix(w, prefix, 0, (int)(place.Index ?? Register.Rax), (int)place.Base);
        w.Bytes(0x4b);
        w.Operand(tile, place, withIndex: true);
    }

    // C4, then bits of registers upside down.
    private static void Prefix(Assembler w, int prefix, int second, int index, int @base)
        => w.Bytes(0xc4, (byte)(0x80 | (~index >> 3 & 1) << 6 | (~@base >> 3 & 1) << 5 | 2), (byte)((~second & 15) << 3 | prefix));
}
