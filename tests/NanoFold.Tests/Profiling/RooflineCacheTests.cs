using NanoFold.Engine.Profiling;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Profiling;

public class RooflineCacheTests
{
    private TemporaryFolder _folder = null!;
    private CpuBackend _backend = null!;
    private int _measured;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _backend = new CpuBackend(1);
        _measured = 0;
    }

    [TearDown]
    public void TearDown()
    {
        _backend.Dispose();
        _folder.Dispose();
    }

    [Test]
    public void AMachineIsMeasuredOnce()
    {
        var notes = new List<string>();
        Assert.That(Get(note: notes.Add), Is.EqualTo(new Roofline(1.25e9, 0.1)));
        Assert.That(Get(note: notes.Add), Is.EqualTo(new Roofline(1.25e9, 0.1)));
        Assert.That((_measured, notes.Count), Is.EqualTo((1, 1)));

        Assert.That(Get(remeasure: true), Is.EqualTo(new Roofline(2.5e9, 0.1)));
        Assert.That(Get(), Is.EqualTo(new Roofline(2.5e9, 0.1)));
        Assert.That(_measured, Is.EqualTo(2));
    }

    [Test]
    public void AnotherMachineIsAnother()
    {
        Get();
        Get(processor: "another");
        using var threads = new CpuBackend(2);
        Cache().Get(threads, "processor");
        using var path = new CpuBackend(1, Isa.Scalar);
        Cache().Get(path, "processor");

        Cache().Get(_backend, "processor", arithmetic: new Arithmetic(DType.Float32, OperandRounding.TensorFloat32));
        Cache().Get(_backend, "processor", arithmetic: new Arithmetic(DType.Float32, OperandRounding.BFloat16));

        Assert.That(_measured, Is.EqualTo(6));
        Assert.That(Directory.GetFiles(_folder.Path), Has.Length.EqualTo(6));
    }

    [TestCase("")]
    [TestCase("{")]
    [TestCase("[1]")]
    [TestCase("null")]
    [TestCase("{\"key\":\"another\",\"flopsPerSecond\":1,\"bytesPerSecond\":1}")]
    [TestCase("KEY,\"flopsPerSecond\":1}")]
    [TestCase("KEY,\"flopsPerSecond\":\"fast\",\"bytesPerSecond\":1}")]
    [TestCase("KEY,\"flopsPerSecond\":-1,\"bytesPerSecond\":1}")]
    [TestCase("KEY,\"flopsPerSecond\":1e999,\"bytesPerSecond\":1}")]
    public void ADamagedFileIsMeasuredAgain(string content)
    {
        Get();
        string file = Directory.GetFiles(_folder.Path).Single();
        string key = File.ReadAllText(file).Split(",\"flops")[0];
        File.WriteAllText(file, content.Replace("KEY", key));

        Assert.That(Get(), Is.EqualTo(new Roofline(2.5e9, 0.1)));
        Assert.That(Get(), Is.EqualTo(new Roofline(2.5e9, 0.1)), "and is whole again");
    }

    [Test]
    public void AFolderThatCannotBeWrittenCostsOnlyTime()
    {
        string file = _folder["file"];
        File.WriteAllText(file, "mine");
        var cache = new RooflineCache(Path.Combine(file, "below"), Measure);

        cache.Get(_backend, "processor");
        cache.Get(_backend, "processor");
        Assert.That(_measured, Is.EqualTo(2));
    }

    [Test]
    public void TheMeasurementItself()
    {
        Roofline roofline = Roofline.Measure(_backend);

        Assert.That(double.IsFinite(roofline.Ridge) && roofline is { FlopsPerSecond: > 1e6, BytesPerSecond: > 1e6 }, $"{roofline}");
    }

    private RooflineCache Cache() => new(_folder.Path, Measure);

    private Roofline Get(string processor = "processor", bool remeasure = false, Action<string>? note = null) => Cache().Get(_backend, processor, remeasure, note);

    private Roofline Measure(Backend backend, Arithmetic arithmetic) => new(1.25e9 * ++_measured, 0.1);
}
