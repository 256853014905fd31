using ILGPU.Runtime.OpenCL;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.OpenCl;
using NanoFold.Tests;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Programs as a driver made them, from one process to the next.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClBinariesTests
{
    private const string Name = "twice";

    private GpuBackend? _gpu;

    [OneTimeSetUp]
    public void Open() => _gpu = OpenClDevice.Open();

    [OneTimeTearDown]
    public void Close() => _gpu?.Dispose();

    [Test]
    public void AProgramIsBuiltOnceForADevice()
    {
        using var folder = new TemporaryFolder();
        Assert.That(ReadOf(folder.Path, "a", 2), Is.Zero);
        Assert.That(ReadOf(folder.Path, "a", 2), Is.EqualTo(1));
        Assert.That(ReadOf(folder.Path, "a", 3), Is.Zero, "another source");
        Assert.That(ReadOf(folder.Path, "b", 2), Is.Zero, "another device");
        Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(3));
    }

    [Test]
    public void ADamagedFileIsBuiltAgain()
    {
        using var folder = new TemporaryFolder();
        ReadOf(folder.Path, "a", 2);
        string file = Directory.GetFiles(folder.Path).Single();
        byte[] whole = File.ReadAllBytes(file);
        for (int i = 0; i < 4; i++)
        {
            byte[] damaged = [.. whole];
            damaged[i * (whole.Length - 1) / 3] ^= 1;
            File.WriteAllBytes(file, damaged);
            Assert.That(ReadOf(folder.Path, "a", 2), Is.Zero, $"byte {i * (whole.Length - 1) / 3}");
        }

        File.WriteAllBytes(file, whole[..(whole.Length / 2)]);
        Assert.That(ReadOf(folder.Path, "a", 2), Is.Zero, "half of it");
        Assert.That(ReadOf(folder.Path, "a", 2), Is.EqualTo(1));
    }

    [Test]
    public void ATrialLeavesNothingAndOtherDevicesKeepTheirOwn()
    {
        using var folder = new TemporaryFolder();
        ReadOf(folder.Path, "a", 2, least: TimeSpan.FromHours(1));
        ReadOf(folder.Path, "a", 2, areKept: false);
        Assert.That(Directory.GetFiles(folder.Path), Is.Empty);
    }

    [Test]
    public void AFolderThatCannotBeWrittenCostsTimeOnly()
    {
        using var folder = new TemporaryFolder();
        string file = Path.Combine(folder.Path, "file");
        File.WriteAllText(file, "");
        Assert.That(ReadOf(Path.Combine(file, "below"), "a", 2), Is.Zero);
    }

    [Test]
    public void ASourceThatIsWrongIsRefusedByItsName()
    {
        var binaries = new OpenClBinaries(Accelerator, "a", areKept: true);
        Assert.That(() => binaries.Load(Name, "kernel void twice(", "Doubling"), Throws.TypeOf<NotSupportedException>().With.Message.Contains("Doubling"));
    }

    private CLAccelerator Accelerator => (CLAccelerator)_gpu!.Context.Accelerator;

    private int ReadOf(string folder, string device, int factor, TimeSpan least = default, bool areKept = true)
    {
        var binaries = new OpenClBinaries(Accelerator, device, areKept, folder) { Least = least };
        (nint program, nint kernel) = binaries.Load(Name, $"kernel void {Name}(global float* x) {{ x[get_global_id(0)] *= {factor}; }}", "Doubling");
        binaries.Keep();
        Assert.That(kernel, Is.Not.Zero);
        Assert.That((CLAPI.CurrentAPI.ReleaseKernel(kernel), CLAPI.CurrentAPI.ReleaseProgram(program)), Is.EqualTo((CLError.CL_SUCCESS, CLError.CL_SUCCESS)));
        return binaries.Read;
    }
}
