using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Choices by measured times, and the file they are kept in.</summary>
internal sealed class GemmTunerTests
{
    private const string Device = "a card; driver 1";

    private static readonly GemmDeviceClass s_device = new(90, 132, 228 * 1024);

    private GemmChooser _chooser;
    private string _folder;

    [SetUp]
    public void SetUp()
    {
        _chooser = new GemmChooser(s_device);
        _folder = Path.Combine(Path.GetTempPath(), $"nanofold-{Guid.NewGuid():N}");
    }

    [TearDown]
    public void TearDown()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    /// <summary>Of two tiles that are estimated alike the one is taken whose kernel has registers for all it holds; the other stays a candidate to be measured.</summary>
    [TestCase(GpuType.Float32, 64)]
    [TestCase(GpuType.BFloat16, 128)]
    public void ATileThatSpillsIsNotTheFirst(object type, int depthBytes)
    {
        GemmProblem problem = Problem(16384, 2304, 768) with { Input = (GpuType)type, Output = (GpuType)type };
        IReadOnlyList<GemmChoice> candidates = _chooser.Candidates(problem, GpuPrecision.TensorFloat32);
        Assert.That(candidates[0].Tile.DepthBytes, Is.EqualTo(depthBytes), $"{candidates[0]}");
        Assert.That(candidates.Select(c => c.Tile), Does.Contain(GemmTiles.Mma[0]));
    }

    [Test]
    public void TheFastestIsKept()
    {
        GemmProblem problem = Problem(1024, 1024, 4096);
        GemmTile fast = _chooser.Candidates(problem, GpuPrecision.Float32).DistinctBy(c => c.Tile).ElementAt(3).Tile;
        var timer = new MadeUpTimer(c => c.Tile == fast ? 1 + Math.Abs(c.Slices - 3) * 0.1 : 2);
        GemmTuning tuning = new GemmTuner(_chooser, timer).Tune(problem, GpuPrecision.Float32)!.Value;
        Assert.That((tuning.After.Tile, tuning.SecondsBefore), Is.EqualTo((fast, 2.0)));
        Assert.That(tuning.After.Slices, Is.EqualTo(3));
        Assert.That(_chooser.Choose(problem, GpuPrecision.Float32), Is.EqualTo(tuning.After));
        Assert.That(_chooser.Choose(problem with { Accumulate = true, BiasType = GpuType.Float32, Output = GpuType.Float32 }, GpuPrecision.Float32), Is.EqualTo(tuning.After));
        Assert.That(_chooser.Choose(problem with { M = 1025 }, GpuPrecision.Float32).Tile, Is.Not.EqualTo(fast));
        Assert.That(timer.Measured, Is.Unique.And.Count.LessThanOrEqualTo(11));
    }

    [Test]
    public void ALittleFasterIsNoReasonToChange()
    {
        GemmProblem problem = Problem(1024, 1024, 4096);
        GemmChoice before = _chooser.Choose(problem, GpuPrecision.Float32);
        GemmTuning tuning = new GemmTuner(_chooser, new MadeUpTimer(c => c == before ? 1 : 0.99)).Tune(problem, GpuPrecision.Float32)!.Value;
        Assert.That((tuning.Before, tuning.After), Is.EqualTo((before, before)));
    }

    [Test]
    public void BatchesAndGroupsAreNotMeasured()
    {
        GemmProblem problem = Problem(64, 64, 64) with { InnerCount = 2 };
        Assert.That(new GemmTuner(_chooser, new MadeUpTimer(_ => 1)).Tune(problem, GpuPrecision.Float32), Is.Null);
    }

    [Test]
    public void WhatDoesNotFitTheOperandsIsNotUsed()
    {
        GemmProblem problem = Problem(4, 64, 64) with { ColumnsB = true, StrideB = 128 };
        _chooser.Keep(GemmProduct.Of(problem, GpuPrecision.Float32)!.Value, new GemmChoice(GemmFamily.FewRows, FewRowsGemm.Tile(4)));
        Assert.That(_chooser.Choose(problem, GpuPrecision.Float32).Family, Is.EqualTo(GemmFamily.FewRows));
        Assert.That(_chooser.Choose(problem with { B = 2 }, GpuPrecision.Float32).Family, Is.Not.EqualTo(GemmFamily.FewRows));
    }

    [Test]
    public void ChoicesComeBackFromTheFile()
    {
        Dictionary<GemmProduct, GemmChoice> choices = Choices();
        Assert.That(new GemmTable(Device, _folder).Write(choices));
        Assert.That(new GemmTable(Device, _folder).Read(), Is.EquivalentTo(choices));
        Assert.That(new GemmTable("another", _folder).Read(), Is.Empty);
        Assert.That(Directory.GetFiles(_folder), Has.Length.EqualTo(1));
    }

    [TestCase("")]
    [TestCase("{")]
    [TestCase("null")]
    [TestCase("[1]")]
    [TestCase("{\"key\":\"another\",\"choices\":[]}")]
    [TestCase("{\"key\":KEY,\"choices\":[{\"m\":\"one\",\"n\":1,\"k\":1,\"layout\":\"nn\",\"type\":\"Float32\",\"kernel\":\"Simt 64x64x32 32x64 s2 b6\"}]}")]
    public void ADamagedFileIsAsNone(string text)
    {
        var table = new GemmTable(Device, _folder);
        Assert.That(table.Read(), Is.Empty);
        Assert.That(table.Write(Choices()));
        string path = Directory.GetFiles(_folder).Single(), key = File.ReadAllText(path).Split('"')[3];
        File.WriteAllText(path, text.Replace("KEY", $"\"{key}\"", StringComparison.Ordinal));
        Assert.That(table.Read(), Is.Empty);
        Assert.That(table.Write(Choices()));
        Assert.That(table.Read(), Is.EquivalentTo(Choices()));
    }

    [Test]
    public void AnUnknownKernelIsPassedOver()
    {
        var table = new GemmTable(Device, _folder);
        Dictionary<GemmProduct, GemmChoice> choices = Choices();
        choices[new GemmProduct(1, 2, 3, false, false, GpuType.Float32, false)] = new GemmChoice(GemmFamily.Mma, new GemmTile(96, 96, 48, 48, 64, 3, 1));
        table.Write(choices);
        Assert.That(table.Read(), Is.EquivalentTo(Choices()));
    }

    [Test]
    public void AFolderThatCannotBeWrittenCostsOnlyTheFile()
    {
        Directory.CreateDirectory(_folder);
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        var table = new GemmTable(Device, Path.Combine(file, "below"));
        Assert.That(table.Write(Choices()), Is.False);
        Assert.That(table.Read(), Is.Empty);
    }

    private static Dictionary<GemmProduct, GemmChoice> Choices() => new()
    {
        [new GemmProduct(768, 384, 128, false, true, GpuType.BFloat16, false)] = new GemmChoice(GemmFamily.Mma, GemmTiles.Mma[2], 3),
        [new GemmProduct(768, 384, 128, true, false, GpuType.Float32, true)] = new GemmChoice(GemmFamily.Simt, GemmTiles.Simt[0]),
        [new GemmProduct(3, 384, 128, false, true, GpuType.Float32, false)] = new GemmChoice(GemmFamily.FewRows, FewRowsGemm.Tile(3)),
    };

    private static GemmProblem Problem(int m, int n, int k) => new()
    {
        M = m, N = n, K = k, InnerCount = 1, OuterCount = 1, Alpha = 1, Input = GpuType.BFloat16, Output = GpuType.BFloat16, StrideA = 2 * k, StrideB = 2 * n, StrideY = 2 * n,
    };

    private sealed class MadeUpTimer(Func<GemmChoice, double> seconds) : IGemmTimer
    {
        public List<GemmChoice> Measured { get; } = [];

        public double Seconds(in GemmProblem problem, in GemmChoice choice)
        {
            Measured.Add(choice);
            return seconds(choice);
        }
    }
}
