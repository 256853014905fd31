using System.Globalization;
using System.Text.RegularExpressions;
using ILGPU.Runtime.Cuda;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Gpu.Attention.Full;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.Norm;
using NanoFold.Kernels.Gpu.OpenCl;
using NanoFold.Kernels.Gpu.Pointwise;
using NanoFold.Kernels.Gpu.Rows;

namespace NanoFold.Gpu.Tests.Compilation;

/// <summary>Every work struct with every type compiles for every device, to code without what is silently slow or wrong.</summary>
/// <remarks>
/// ILGPU writes code for 7.5 and for 8.0 of CUDA's capabilities, and takes these for all others. What it writes for the two differs in names and in a few instructions, so that for the older one
/// a work of each definition is compiled whenever tests run, and all of them in the long tests.
/// </remarks>
[TestFixture(false)]
[TestFixture(true, Category = "Long")]
[Parallelizable]
public sealed partial class CompilationTests(bool isWhole)
{
    private const int MostShared = 48 * 1024;

    private CompiledWork[] _works = [];

    [OneTimeSetUp]
    public void Compile()
    {
        IReadOnlyList<Type> works = new Works(typeof(OpCases).Assembly).All();
        HashSet<Type> forBoth = [.. isWhole ? works : works.DistinctBy(Definition)];
        _works = WorkCompiler.Compile(works, work => forBoth.Contains(work) ? [CudaArchitecture.SM_75, CudaArchitecture.SM_80] : [CudaArchitecture.SM_80]);
    }

    [OneTimeTearDown]
    public void Forget() => _works = [];

    [Test]
    public void NoWorkIsLeftOut()
    {
        Type[] definitions = [.. _works.Select(w => Definition(w.Work)).Distinct()];
        Assert.That(definitions, Has.Length.GreaterThan(60).And.Contain(typeof(PointwiseWork<,>)).And.Contain(typeof(NormForwardWork<,,,,>)));
        Assert.That(_works, Has.Length.GreaterThan(400));
    }

    [TestCase(7, 5, "sm_75")]
    [TestCase(8, 0, "sm_80")]
    [TestCase(8, 6, "sm_80")]
    [TestCase(8, 9, "sm_80")]
    [TestCase(9, 0, "sm_80")]
    [TestCase(12, 0, "sm_80")]
    public void CodeIsForTheDeviceOrAnOlderOne(int major, int minor, string target)
    {
        using var compiler = new WorkCompiler();
        Assert.That(compiler.ToPtx(typeof(FillWork<F32>), new CudaArchitecture(major, minor)), Does.Contain($".target {target}\n").Or.Contain($".target {target}\r"));
    }

    /// <summary>A function of the host that the device lacks becomes an external one, or one that calls itself, without a word.</summary>
    [Test]
    public void NothingIsCalled()
        => AssertEach((work, text) => CallOrExtern().IsMatch(text) ? "calls a function" : null);

    /// <summary>Local memory is memory of the device, and slow: what is indexed or has its address taken lands there.</summary>
    [Test]
    public void NothingLiesInLocalMemory()
        => AssertEach((work, text) => text.Contains(".local", StringComparison.Ordinal) ? "has local memory" : null);

    [Test]
    public void SharedMemoryIsWhatEveryDeviceHas()
        => AssertEach((work, text) =>
        {
            int bytes = SharedArray().Matches(text).Sum(m => int.Parse(m.Groups["bytes"].Value, CultureInfo.InvariantCulture));
            return bytes > MostShared ? $"{bytes} bytes of shared memory" : null;
        });

    [Test]
    public void FoursAreLoadedAtOnce()
        => AssertEach((work, text) => ReadsFours(work.Work) && !text.Contains("ld.global.v4", StringComparison.Ordinal) ? "loads one by one" : null);

    /// <summary>
    /// A constant on the left of a comparison is put on the right, and the comparison then taken for one that holds (or not) where its operands have no order.
    /// See <see cref="Bits.IsGreater"/>, which asks twice.
    /// </summary>
    [Test]
    public void ComparisonsWithConstantsAreFalseForWhatIsNotANumber()
        => AssertEach((work, text) =>
        {
            string[] lines = text.Split('\n');
            for (int i = 0; i < lines.Length; i++)
            {
                if (Unordered().Match(lines[i]) is { Success: true } match
                    && !lines[Math.Max(0, i - 1)..Math.Min(lines.Length, i + 2)].Any(l => Ordered().Match(l) is { Success: true } other && other.Groups["what"].Value == match.Groups["what"].Value))
                {
                    return lines[i].Trim();
                }
            }

            return null;
        });

    [Test]
    public void CodeForOpenCLHasNoFunctionButTheKernel()
        => Assert.That(_works.Where(w => w.OpenCl is { } text && Function().Count(text) != 1).Select(w => w.ToString()), Is.Empty);

    /// <summary>The kernels that need more than every OpenCL device must have, by their folders, and how much the largest of each needs: docs/opencl.md has these figures.</summary>
    [Test]
    public void LocalMemoryForOpenCLIsWhatIsSaid()
        => Assert.That(
            _works.Where(w => w.OpenCl is not null).Select(w => (Folder: w.Work.Namespace!.Split('.')[^1], Bytes: OpenClSource.LocalBytes(w.OpenCl!)))
                .Where(w => w.Bytes > OpenClCapabilities.LeastLocalBytes).GroupBy(w => w.Folder).ToDictionary(g => g.Key, g => g.Max(w => w.Bytes)),
            Is.EquivalentTo(new Dictionary<string, long> { ["Full"] = GpuFusedAttention.SharedBytes }));

    /// <summary>Whatever the size of a device's sub-groups, and whether it has them.</summary>
    [Test]
    public void CodeForOpenCLAsksForNoSubGroupsAndNoFloatAtomics()
        => Assert.That(_works.Where(w => w.OpenCl is { } text && SubGroupOrFloatAtomic().IsMatch(text)).Select(w => w.ToString()), Is.Empty);

    [Test]
    public void CodeForProcessorsHasNoBarrier()
    {
        var processor = new OpenClCapabilities
        {
            Language = 300, IsProcessor = true, HasDouble = false, HasHalf = false, HasFloatAtomics = false, SubGroup = 0, MostThreads = 256, LocalBytes = 65536, BufferBytes = 1L << 32,
        };
        CompiledWork[] works = [.. _works.Where(w => w.OpenCl is { } text && ThreadLoops.HasBarrier(text))];
        Assert.That(works, Has.Length.GreaterThan(100));
        Assert.That(works.Where(w => OpenClSource.Rewrite(w.OpenCl!, processor) is var made && (ThreadLoops.HasBarrier(made) || !ThreadLoops.IsIn(made))).Select(w => w.ToString()), Is.Empty);
    }

    /// <summary>Checked by Clang where it is there.</summary>
    [Test]
    public void CodeForOpenCLIsValid()
    {
        string? clang = Clang.Find();
        if (clang is null)
        {
            Assert.Ignore("clang is not installed: it would check the OpenCL C");
        }

        Assert.That(Clang.Check(clang, [.. _works.Where(w => w.OpenCl is not null)]), Is.Empty);
    }

    private static Type Definition(Type work) => work.IsGenericType ? work.GetGenericTypeDefinition() : work;

    private static bool ReadsFours(Type work) => work.IsGenericType && (work.GetGenericTypeDefinition() == typeof(FlatWork<,>)
        || work.GetGenericTypeDefinition() == typeof(FlatCopyWork<,>) || work.GetGenericTypeDefinition() == typeof(FourGatherWork<>)
        || work.GetGenericTypeDefinition() == typeof(FourDropoutWork<>) || work.GetGenericArguments().Contains(typeof(AlignedPiece)));

    [GeneratedRegex(@"^\s*\.extern|\bcall\b|^\s*\.func|\.visible\s+\.func", RegexOptions.Multiline)]
    private static partial Regex CallOrExtern();

    [GeneratedRegex(@"\.shared \.align \d+ \.b8 \w+\[(?<bytes>\d+)\]")]
    private static partial Regex SharedArray();

    [GeneratedRegex(@"^[\w\s\*]+\([^;{]*\)\s*\{", RegexOptions.Multiline)]
    private static partial Regex Function();

    [GeneratedRegex(@"\bsub_group_\w+\s*\(|\batomic_\w*float")]
    private static partial Regex SubGroupOrFloatAtomic();

    /// <summary>What a swap makes of a strict comparison and of its opposite.</summary>
    [GeneratedRegex(@"setp\.((lt|gt)u|le|ge)\.f(32|64)\s+%p\d+, (?<what>%\w+, 0[fd][0-9A-F]+)")]
    private static partial Regex Unordered();

    [GeneratedRegex(@"setp\.(lt|gt)\.f(32|64)\s+%p\d+, (?<what>%\w+, 0[fd][0-9A-F]+)")]
    private static partial Regex Ordered();

    /// <param name="fault">What is wrong with a code, or null.</param>
    private void AssertEach(Func<CompiledWork, string, string?> fault)
        => Assert.That(_works.SelectMany(w => w.Ptx.Select(text => fault(w, text) is { } what ? $"{w} {what}" : null)).OfType<string>().Distinct(), Is.Empty);
}
