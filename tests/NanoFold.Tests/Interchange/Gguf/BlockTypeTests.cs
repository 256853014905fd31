using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange.Gguf.Blocks;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>Values of blocks, which are those of ggml to the bit.</summary>
public class BlockTypeTests
{
    private const string File = "peers/gguf/dequant.safetensors";

    /// <summary>Types whose codes are places in tables of ggml's, which are not here.</summary>
    private static readonly string[] s_notRead = ["iq1_m", "iq1_s", "iq2_s", "iq2_xs", "iq2_xxs", "iq3_s", "iq3_xxs"];

    private static IEnumerable<string> Types
    {
        get
        {
            if (SharedData.Find(File) is not { } path)
            {
                return ["none"];
            }

            using SafeTensorsFile file = SafeTensorsFile.Open(path);
            return [.. file.Tensors.Select(tensor => tensor.Name).Where(name => name.EndsWith(".bytes", StringComparison.Ordinal) && !name.EndsWith(".rand.bytes", StringComparison.Ordinal)).Select(name => name[..^6]).Order()];
        }
    }

    [Category("Published")]
    [TestCaseSource(nameof(Types))]
    public void ValuesAreThoseOfGgmlToTheBit(string name)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path(File));
        BlockType type = BlockType.All.Single(type => type.Name == name.ToUpperInvariant());
        if (s_notRead.Contains(name))
        {
            Assert.That(type.Decode, Is.Null);
            CaseAgreement.Refused("gguf", $"block type {name}", "its codes are places in tables of ggml's, which are not here");
            return;
        }

        foreach (string part in new[] { "", ".rand" })
        {
            var expected = new float[file[$"{name}{part}.values"].Count];
            file.Read($"{name}{part}.values", expected);
            int[] stored = new int[file[$"{name}{part}.bytes"].Count];
            file.Read($"{name}{part}.bytes", stored);
            byte[] bytes = Array.ConvertAll(stored, value => (byte)value);
            Assert.That(bytes, Has.Length.EqualTo(expected.Length / type.Values * type.Bytes));
            var actual = new float[expected.Length];
            for (int i = 0; i < actual.Length / type.Values; i++)
            {
                type.Decode!(bytes.AsSpan(i * type.Bytes, type.Bytes), actual.AsSpan(i * type.Values, type.Values));
            }

            Assert.That(Array.ConvertAll(actual, BitConverter.SingleToUInt32Bits), Is.EqualTo(Array.ConvertAll(expected, BitConverter.SingleToUInt32Bits)), name + part);
        }

        var agreement = new CaseAgreement("gguf", $"block type {name}");
        agreement.Same("values to the bit");
        agreement.Record();
    }

    [Test]
    public void AScaleTurnsCodesIntoValues()
    {
        var values = new float[32];
        byte[] block = [.. BitConverter.GetBytes((Half)0.5f), .. Enumerable.Range(0, 16).Select(i => (byte)(i | ((15 - i) << 4)))];
        BlockType.Of(2)!.Decode!(block, values);
        Assert.That(values[..16], Is.EqualTo(Enumerable.Range(0, 16).Select(i => (i - 8) * 0.5f)));
        Assert.That(values[16..], Is.EqualTo(Enumerable.Range(0, 16).Select(i => (7 - i) * 0.5f)));
        BlockType.Of(8)!.Decode!([.. BitConverter.GetBytes((Half)(-2f)), .. Enumerable.Range(0, 32).Select(i => (byte)(i - 16))], values);
        Assert.That(values, Is.EqualTo(Enumerable.Range(0, 32).Select(i => (i - 16) * -2f)));
    }
}
