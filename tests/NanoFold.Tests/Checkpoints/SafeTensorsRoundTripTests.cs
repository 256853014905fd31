using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Tests.Checkpoints;

public class SafeTensorsRoundTripTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void WhateverIsWrittenIsReadBack()
    {
        Gen<(string Name, long[] Shape, int Seed)> tensor =
            from name in ArbMap.Default.GeneratorFor<NonEmptyString>()
            from shape in Gen.Choose(0, 5).Select(extent => (long)extent).ArrayOf().Resize(4)
            from seed in Gen.Choose(0, int.MaxValue - 1)
            select (WellFormed(name.Get), shape, seed);
        Gen<(string, string)> entry =
            from key in ArbMap.Default.GeneratorFor<NonEmptyString>()
            from value in ArbMap.Default.GeneratorFor<NonEmptyString>()
            select (WellFormed(key.Get), WellFormed(value.Get));
        var files = (from tensors in tensor.ArrayOf() from metadata in entry.ArrayOf() select (tensors, metadata)).ToArbitrary();

        Prop.ForAll(files, file => RoundTrips(file.tensors, file.metadata))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(150).WithReplay(20_250_101, 7).WithEndSize(12));
    }

    private bool RoundTrips((string Name, long[] Shape, int Seed)[] tensors, (string Key, string Value)[] metadata)
    {
        tensors = [.. tensors.DistinctBy(tensor => tensor.Name)];
        metadata = [.. metadata.DistinctBy(entry => entry.Key)];
        var writer = new SafeTensorsWriter();
        foreach ((string key, string value) in metadata)
        {
            writer.SetMetadata(key, value);
        }

        foreach ((string name, long[] shape, int seed) in tensors)
        {
            writer.Add(name, shape, () => Values(shape, seed));
        }

        string path = _folder["any.safetensors"];
        writer.Save(path);

        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        Assert.That(file.Metadata, Is.EquivalentTo(metadata.ToDictionary(entry => entry.Key, entry => entry.Value)));
        Assert.That(file.Tensors, Has.Count.EqualTo(tensors.Length));
        foreach ((string name, long[] shape, int seed) in tensors)
        {
            var read = new float[file[name].Count];
            file.Read(name, read);
            Assert.That(file[name].Shape, Is.EqualTo(shape));
            Assert.That(read, Is.EqualTo(Values(shape, seed)));
        }

        return true;
    }

    [Test]
    public void TheSameContentGivesTheSameBytesWithTheDataAligned()
    {
        byte[] Bytes(params string[] names)
        {
            var writer = new SafeTensorsWriter();
            foreach (string name in names)
            {
                writer.SetMetadata("about " + name, name);
                writer.Add(name, [2, 3], () => Values([2, 3], name.Length));
                writer.Add(name + ".mask", SafeTensorType.Bool, [3], () => [1, 0, 1]);
                writer.Add(name + ".count", SafeTensorType.I64, [], () => BitConverter.GetBytes(7L));
            }

            var stream = new MemoryStream();
            writer.WriteTo(stream);
            return stream.ToArray();
        }

        byte[] bytes = Bytes("a", "bb");
        Assert.That(Bytes("bb", "a"), Is.EqualTo(bytes));

        File.WriteAllBytes(_folder["f"], bytes);
        using SafeTensorsFile file = SafeTensorsFile.Open(_folder["f"]);
        Assert.That(file.Tensors.Select(tensor => tensor.Name), Is.EqualTo(new[] { "a.count", "bb.count", "a", "bb", "a.mask", "bb.mask" }));
        Assert.That(file.Tensors.Select(tensor => tensor.Offset % tensor.Type.Size()), Is.All.Zero);
    }

    [Test]
    public void EveryFloatTypeIsWidenedOrRounded()
    {
        double[] values = [0, -1.5, 0.1, 3e4, -6.1035e-05, 1.0 / 3];
        var writer = new SafeTensorsWriter();
        Add(writer, "f64", SafeTensorType.F64, values);
        Add(writer, "f32", SafeTensorType.F32, [.. values.Select(value => (float)value)]);
        Add(writer, "f16", SafeTensorType.F16, [.. values.Select(value => (Half)value)]);
        Add(writer, "bf16", SafeTensorType.BF16, [.. values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16))]);
        writer.Save(_folder["f"]);

        using SafeTensorsFile file = SafeTensorsFile.Open(_folder["f"]);
        var singles = new float[values.Length];
        var doubles = new double[values.Length];
        foreach ((string name, double relativeError) in new[] { ("f64", 0.0), ("f32", 6e-8), ("f16", 5e-4), ("bf16", 8e-3) })
        {
            file.Read(name, singles);
            file.Read(name, doubles);
            for (int i = 0; i < values.Length; i++)
            {
                Assert.That(doubles[i], Is.EqualTo(values[i]).Within(relativeError * Math.Abs(values[i])), $"{name}[{i}]");
                Assert.That(singles[i], Is.EqualTo((float)doubles[i]), $"{name}[{i}]");
            }
        }
    }

    [Test]
    public void EveryIntegerTypeIsWidened()
    {
        var writer = new SafeTensorsWriter();
        Add<long>(writer, "i64", SafeTensorType.I64, [-3, 0, 100]);
        Add<int>(writer, "i32", SafeTensorType.I32, [-3, 0, 100]);
        Add<short>(writer, "i16", SafeTensorType.I16, [-3, 0, 100]);
        Add<sbyte>(writer, "i8", SafeTensorType.I8, [-3, 0, 100]);
        Add<byte>(writer, "u8", SafeTensorType.U8, [253, 0, 100]);
        Add<byte>(writer, "bool", SafeTensorType.Bool, [1, 0, 1]);
        Add<long>(writer, "large", SafeTensorType.I64, [1L << 40, 0, 0]);
        writer.Save(_folder["f"]);

        using SafeTensorsFile file = SafeTensorsFile.Open(_folder["f"]);
        var longs = new long[3];
        var ints = new int[3];
        foreach (string name in new[] { "i64", "i32", "i16", "i8", "u8", "bool" })
        {
            int[] expected = name switch { "u8" => [253, 0, 100], "bool" => [1, 0, 1], _ => [-3, 0, 100] };
            file.Read(name, longs);
            file.Read(name, ints);
            Assert.That(ints, Is.EqualTo(expected), name);
            Assert.That(longs, Is.EqualTo(expected), name);
        }

        file.Read("large", longs);
        Assert.That(longs[0], Is.EqualTo(1L << 40));
        Assert.That(() => file.Read("large", ints), Throws.TypeOf<UserException>().With.Message.Contains("large").And.Message.Contains("32 bits"));
    }

    [Test]
    public void ATensorLargerThanAChunkIsReadWholeAndInPart()
    {
        float[] values = Values([100_003], 5);
        var writer = new SafeTensorsWriter();
        writer.Add("f32", [values.Length], () => values);
        Add(writer, "f64", SafeTensorType.F64, [.. values.Select(value => (double)value)]);
        writer.Save(_folder["f"]);

        using SafeTensorsFile file = SafeTensorsFile.Open(_folder["f"]);
        foreach (string name in new[] { "f32", "f64" })
        {
            var whole = new float[values.Length];
            var part = new float[20_001];
            file.Read(name, whole);
            file.ReadPart(name, 77_777, part);
            Assert.That(whole, Is.EqualTo(values), name);
            Assert.That(part, Is.EqualTo(values[77_777..97_778]), name);
            Assert.That(() => file.ReadPart(name, 80_003, part), Throws.TypeOf<UserException>(), name);
        }
    }

    [Test]
    public void AWrongQuestionIsAnsweredWithTheTensorAndTheFile()
    {
        var writer = new SafeTensorsWriter();
        writer.Add("w", [2, 3], () => Values([2, 3], 1));
        writer.Save(_folder["f"]);

        using SafeTensorsFile file = SafeTensorsFile.Open(_folder["f"]);
        Assert.That(() => file.Read("v", new float[6]), Throws.TypeOf<UserException>().With.Message.Contains("'v'").And.Message.Contains(_folder["f"]));
        Assert.That(() => file.Read("w", new float[5]), Throws.TypeOf<UserException>().With.Message.Contains("w F32 [2, 3]"));
        Assert.That(() => file.Read("w", new long[6]), Throws.TypeOf<UserException>().With.Message.Contains("integer"));
    }

    [Test]
    public void TheWriterRefusesWhatWouldBeABadFile()
    {
        var writer = new SafeTensorsWriter();
        writer.Add("w", [2, 3], () => new float[5]);
        Assert.That(() => writer.Add("w", [1], () => new float[1]), Throws.ArgumentException);
        Assert.That(() => writer.Add("__metadata__", [1], () => new float[1]), Throws.ArgumentException);
        Assert.That(() => writer.Add("v", [-1], () => new float[1]), Throws.InstanceOf<ArgumentException>());
        Assert.That(() => writer.WriteTo(new MemoryStream()), Throws.InvalidOperationException.With.Message.Contains("'w' [2, 3]"));
    }

    [Test]
    [Platform("Linux")]
    public void AFullDiskIsOneLine()
    {
        var writer = new SafeTensorsWriter();
        writer.Add("w", [100_000], () => new float[100_000]);
        Assert.That(() => writer.Save("/dev/full"), Throws.TypeOf<UserException>().With.Message.EqualTo("cannot write /dev/full: the disk is full"));
    }

    private static void Add<T>(SafeTensorsWriter writer, string name, SafeTensorType type, T[] values)
        where T : unmanaged
        => writer.Add(name, type, [values.Length], () => MemoryMarshal.AsBytes<T>(values));

    // A string that JSON and UTF-8 can carry: no half surrogate pairs.
    private static string WellFormed(string text) => string.Concat(text.EnumerateRunes());

    private static float[] Values(long[] shape, int seed)
    {
        var random = new Random(seed);
        var values = new float[shape.Aggregate(1L, (product, extent) => product * extent)];
        foreach (ref float value in values.AsSpan())
        {
            value = random.NextSingle() - 0.5f;
        }

        return values;
    }
}
