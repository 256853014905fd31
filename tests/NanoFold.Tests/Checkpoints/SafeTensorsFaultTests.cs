using System.Buffers.Binary;
using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Tests.Checkpoints;

/// <summary>Files that lie, or were damaged: one clear line, and no allocation beyond what the file's length allows.</summary>
public class SafeTensorsFaultTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCase("[]", 0, "JSON object")]
    [TestCase("", 0, "JSON")]
    [TestCase("{\"w\":", 0, "JSON")]
    [TestCase("{} {}", 0, "JSON")]
    [TestCase("{\"w\":1}", 0, "'w' is not an object")]
    [TestCase("{\"w\":{}}", 0, "lacks dtype")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "outside its 7 bytes")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "1 bytes at its end")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "w' F32 [3] does not fit its 8 bytes")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "data_offsets of tensor 'w'")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "data_offsets of tensor 'w'")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "not a count")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}", 8, "not a count")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905,4],\"data_offsets\":[0,16]}}", 16, "does not fit")]
    [TestCase("{\"w\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,9223372036854775807],\"data_offsets\":[0,16]}}", 16, "does not fit")]
    [TestCase("{\"w\":{\"dtype\":\"Q4\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown dtype 'Q4'")]
    [TestCase("{\"w\":{\"dtype\":1,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown dtype")]
    [TestCase("{\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", 4, "'w' stands in it twice")]
    [TestCase("{\"v\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "'w' overlaps")]
    [TestCase("{\"v\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,5]}}", 5, "hole before tensor 'w'")]
    [TestCase("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__.a is not a string")]
    [TestCase("{\"__metadata__\":[]}", 0, "__metadata__ is not an object")]
    [TestCase("{\"\\ud800\":{}}", 0, "JSON")]
    public void ABadHeaderIsNamed(string json, int dataBytes, string problem)
    {
        Write(json.Length, Encoding.UTF8.GetBytes(json), dataBytes);
        UserException exception = Assert.Throws<UserException>(() => SafeTensorsFile.Open(_folder["f"]))!;
        Assert.That(exception.Message, Does.StartWith(_folder["f"] + ": ").And.Contain(problem).And.Not.Contain("\n"));
        Assert.That(exception.ExitCode, Is.EqualTo(1));
    }

    [TestCase(0UL)]
    [TestCase(3UL)]
    [TestCase(99_999_999UL)]
    [TestCase(1UL << 40)]
    [TestCase(ulong.MaxValue)]
    public void AHeaderLengthBeyondTheFileAllocatesNothing(ulong claimed)
    {
        Write(claimed, "{}"u8.ToArray(), 0);
        Assert.That(AllocatedByOpening(), Is.LessThan(200_000));
    }

    [Test]
    public void EmptyShortAndMissingFilesAreNamed()
    {
        File.WriteAllBytes(_folder["short"], [1, 2, 3]);
        Assert.That(() => SafeTensorsFile.Open(_folder["short"]), Throws.TypeOf<UserException>().With.Message.Contains("only 3 bytes"));
        Assert.That(() => SafeTensorsFile.Open(_folder["none"]), Throws.TypeOf<UserException>().With.Message.Contains(_folder["none"]));
        Assert.That(() => SafeTensorsFile.Open(_folder.Path), Throws.TypeOf<UserException>().With.Message.Contains(_folder.Path));
    }

    [Test]
    public void MutatedFilesAreReadOrRefused() => Mutate(400, seed: 1);

    [Test]
    [Category("Long")]
    public void ManyMutatedFilesAreReadOrRefused() => Mutate(10_000, seed: 2);

    private void Mutate(int count, int seed)
    {
        byte[] sound = Sound();
        var random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < count; i++)
        {
            File.WriteAllBytes(_folder["f"], Mutated(sound, random));
            long allocated = AllocatedByOpening(() => refused++);
            Assert.That(allocated, Is.LessThan(200_000), $"mutation {i} of seed {seed}");
        }

        Assert.That(refused, Is.InRange(count / 4, count - 1), "mutations that were refused");
    }

    // Opens the file and reads what it says it has; anything but a UserException fails the test.
    private long AllocatedByOpening(Action? onRefused = null)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            using SafeTensorsFile file = SafeTensorsFile.Open(_folder["f"]);
            foreach (SafeTensorInfo tensor in file.Tensors)
            {
                if (tensor.Type <= SafeTensorType.BF16)
                {
                    file.Read(tensor.Name, new float[tensor.Count]);
                }
                else
                {
                    file.Read(tensor.Name, new long[tensor.Count]);
                }
            }
        }
        catch (UserException exception)
        {
            onRefused?.Invoke();
            Assert.That(exception.Message, Does.StartWith(_folder["f"]).And.Not.Contain("\n"));
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static byte[] Sound()
    {
        var writer = new SafeTensorsWriter();
        writer.SetMetadata("config", "{\"layers\": 2}");
        writer.Add("embedding", [7, 4], () => new float[28]);
        writer.Add("blocks.0.norm", [4], () => new float[4]);
        writer.Add("counts", SafeTensorType.I64, [2], () => new byte[16]);
        writer.Add("half", SafeTensorType.F16, [3, 1], () => new byte[6]);
        writer.Add("mask", SafeTensorType.Bool, [5], () => new byte[5]);
        var stream = new MemoryStream();
        writer.WriteTo(stream);
        return stream.ToArray();
    }

    // One to three changes: a byte, a digit of the header, a run cut out or doubled, the end cut off.
    private static byte[] Mutated(byte[] sound, Random random)
    {
        var bytes = new List<byte>(sound);
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 20), bytes.Count - at);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    int[] digits = [.. Enumerable.Range(8, bytes.Count - 8).Where(i => char.IsAsciiDigit((char)bytes[i]))];
                    bytes[digits[random.Next(digits.Length)]] = (byte)('0' + random.Next(10));
                    break;
                case 3:
                    bytes.RemoveRange(at, length);
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                default:
                    bytes.RemoveRange(Math.Max(at, bytes.Count - 40), bytes.Count - Math.Max(at, bytes.Count - 40));
                    break;
            }
        }

        return [.. bytes];
    }

    private void Write(long headerBytes, byte[] header, int dataBytes) => Write((ulong)headerBytes, header, dataBytes);

    private void Write(ulong headerBytes, byte[] header, int dataBytes)
    {
        var bytes = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, headerBytes);
        header.CopyTo(bytes, 8);
        File.WriteAllBytes(_folder["f"], bytes);
    }
}
