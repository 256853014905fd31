using System.Buffers.Binary;
using NanoFold.Engine.Checkpoints;
using NanoFold.Kernels;

namespace NanoFold.Engine.Interchange.Gguf.Blocks;

/// <summary>The values of a block.</summary>
/// <param name="block">Its bytes.</param>
/// <param name="values">As many as a block has.</param>
internal delegate void BlockDecoder(ReadOnlySpan<byte> block, Span<float> values);

/// <summary>A type of tensors in GGUF: rows of blocks of some values, which share scales. The values are those of ggml to the bit.</summary>
/// <param name="Id">Its number in files.</param>
/// <param name="Name">As ggml calls it.</param>
/// <param name="Values">Of a block.</param>
/// <param name="Bytes">Of a block.</param>
/// <param name="Decode">Null where its values are not read: whole numbers, and blocks whose codes are places in tables of ggml's.</param>
internal sealed record BlockType(uint Id, string Name, int Values, int Bytes, BlockDecoder? Decode)
{
    private const int MostId = 64;

    private static readonly BlockType?[] s_byId = ById();

    /// <summary>The same type in safetensors; null where there is none.</summary>
    public SafeTensorType? Stored => Id switch
    {
        0 => SafeTensorType.F32,
        1 => SafeTensorType.F16,
        28 => SafeTensorType.F64,
        30 => SafeTensorType.BF16,
        _ => null,
    };

    /// <summary>The same type as weights are read in without dequantizing them; null where there is none.</summary>
    public DType? Held => Id switch
    {
        2 => DType.Q4_0,
        3 => DType.Q4_1,
        8 => DType.Q8_0,
        _ => Stored?.OfTensors(),
    };

    /// <summary>All that are known.</summary>
    public static IEnumerable<BlockType> All => s_byId.OfType<BlockType>();

    /// <summary>The type of that number, or null.</summary>
    public static BlockType? Of(uint id) => id < MostId ? s_byId[id] : null;

    private static BlockType?[] ById()
    {
        BlockType[] all =
        [
            new(0, "F32", 1, 4, (block, values) => values[0] = BinaryPrimitives.ReadSingleLittleEndian(block)),
            new(1, "F16", 1, 2, (block, values) => values[0] = Half(block)),
            new(2, "Q4_0", 32, 18, SimpleBlocks.Q4_0),
            new(3, "Q4_1", 32, 20, SimpleBlocks.Q4_1),
            new(6, "Q5_0", 32, 22, SimpleBlocks.Q5_0),
            new(7, "Q5_1", 32, 24, SimpleBlocks.Q5_1),
            new(8, "Q8_0", 32, 34, SimpleBlocks.Q8_0),
            new(10, "Q2_K", 256, 84, KBlocks.Q2),
            new(11, "Q3_K", 256, 110, KBlocks.Q3),
            new(12, "Q4_K", 256, 144, KBlocks.Q4),
            new(13, "Q5_K", 256, 176, KBlocks.Q5),
            new(14, "Q6_K", 256, 210, KBlocks.Q6),
            new(16, "IQ2_XXS", 256, 66, null),
            new(17, "IQ2_XS", 256, 74, null),
            new(18, "IQ3_XXS", 256, 98, null),
            new(19, "IQ1_S", 256, 50, null),
            new(20, "IQ4_NL", 32, 18, LevelBlocks.Iq4Nl),
            new(21, "IQ3_S", 256, 110, null),
            new(22, "IQ2_S", 256, 82, null),
            new(23, "IQ4_XS", 256, 136, LevelBlocks.Iq4Xs),
            new(24, "I8", 1, 1, null),
            new(25, "I16", 1, 2, null),
            new(26, "I32", 1, 4, null),
            new(27, "I64", 1, 8, null),
            new(28, "F64", 1, 8, (block, values) => values[0] = (float)BinaryPrimitives.ReadDoubleLittleEndian(block)),
            new(29, "IQ1_M", 256, 56, null),
            new(30, "BF16", 1, 2, (block, values) => values[0] = BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(block) << 16)),
            new(34, "TQ1_0", 256, 54, TernaryBlocks.Tq1),
            new(35, "TQ2_0", 256, 66, TernaryBlocks.Tq2),
            new(39, "MXFP4", 32, 17, LevelBlocks.Mxfp4),
            new(40, "NVFP4", 64, 36, LevelBlocks.Nvfp4),
            new(41, "Q1_0", 128, 18, TernaryBlocks.Q1),
        ];
        var byId = new BlockType?[MostId];
        foreach (BlockType type in all)
        {
            byId[type.Id] = type;
        }

        return byId;
    }

    /// <summary>A number of 16 bits at the start of some bytes.</summary>
    public static float Half(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);
}
