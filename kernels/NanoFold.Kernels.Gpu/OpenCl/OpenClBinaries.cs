using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using ILGPU.Runtime.OpenCL;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>
/// Programs of an OpenCL device: built from source, or for a processor from what its driver made of them in an earlier process. PoCL keeps the code of kernels itself, but reads each
/// source, with all that OpenCL C declares, again: some 40 ms a program, where its binary takes one. To ask it for a binary takes up to 0.2 s, so that this is done at the end of a run, and only
/// of one that was no trial. A file that is damaged or cannot be written costs time only.
/// </summary>
internal sealed partial class OpenClBinaries
{
    private const int HashBytes = 32;

    private readonly CLAccelerator _accelerator;
    private readonly string _device, _folder;
    private readonly bool _areKept;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly List<(nint Program, string Path, byte[] Key)> _new = [];

    /// <param name="accelerator">The device.</param>
    /// <param name="device">Whatever a binary depends on of the device and its driver.</param>
    /// <param name="areKept">Whether there are binaries at all.</param>
    /// <param name="folder">Where to keep them, or null for <c>opencl</c> in <see cref="CacheFolder.Default"/>.</param>
    public OpenClBinaries(CLAccelerator accelerator, string device, bool areKept, string? folder = null)
    {
        (_accelerator, _device, _areKept) = (accelerator, device, areKept);
        _folder = folder ?? Path.Combine(CacheFolder.Default, "opencl");
    }

    /// <summary>A run of less is a trial: its programs are not kept.</summary>
    public TimeSpan Least { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Programs that were read from files.</summary>
    public int Read { get; private set; }

    /// <param name="name">The kernel's in its source.</param>
    /// <param name="source">OpenCL C.</param>
    /// <param name="work">What it is called elsewhere.</param>
    /// <exception cref="NotSupportedException">The driver does not compile it.</exception>
    public (nint Program, nint Kernel) Load(string name, string source, string work)
    {
        if (!_areKept)
        {
            return Build(name, source, work);
        }

        byte[] key = SHA256.HashData(Encoding.UTF8.GetBytes($"{_device}\n{source}"));
        string path = Path.Combine(_folder, Convert.ToHexStringLower(key)[..32] + ".bin");
        if (Open(path, key) is { } binary && Build(name, binary) is { } kept)
        {
            Read++;
            return kept;
        }

        (nint Program, nint Kernel) built = Build(name, source, work);
        _new.Add((built.Program, path, key));
        return built;
    }

    /// <summary>Writes what is new, if this was no trial: while the programs are there still.</summary>
    public void Keep()
    {
        if (_new.Count == 0 || Stopwatch.GetElapsedTime(_started) < Least)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(_folder);
            foreach ((nint program, string path, byte[] key) in _new)
            {
                byte[] binary = LoadBinary(null!, program);
                string beside = $"{path}.tmp-{Guid.NewGuid():N}";
                File.WriteAllBytes(beside, [.. binary, .. Hash(binary, key)]);
                File.Move(beside, path, overwrite: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CLException)
        {
            // Built again by the next process.
        }
    }

    private static byte[]? Open(string path, byte[] key)
    {
        try
        {
            return File.Exists(path) && File.ReadAllBytes(path) is { Length: > HashBytes } all && all.AsSpan(all.Length - HashBytes).SequenceEqual(Hash(all.AsSpan(0, all.Length - HashBytes), key))
                ? all[..^HashBytes]
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static byte[] Hash(ReadOnlySpan<byte> binary, byte[] key)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(key);
        hash.AppendData(binary);
        return hash.GetHashAndReset();
    }

    private (nint Program, nint Kernel) Build(string name, string source, string work)
    {
        CLError error = CLKernel.LoadKernel(_accelerator, name, source, _accelerator.CLStdVersion, out nint program, out nint kernel, out string? log);
        return error == CLError.CL_SUCCESS ? (program, kernel) : throw new NotSupportedException($"{_accelerator.Name}: its driver does not compile the kernel {work} ({error}) {log}");
    }

    private unsafe (nint Program, nint Kernel)? Build(string name, byte[] binary)
    {
        nint device = _accelerator.DeviceId, length = binary.Length;
        fixed (byte* first = binary)
        {
            byte* bytes = first;
            nint program = CreateProgramWithBinary(_accelerator.NativePtr, 1, &device, &length, &bytes, out _, out int created);
            if (created != 0)
            {
                return null;
            }

            CLAPI api = CLAPI.CurrentAPI;
            if (api.BuildProgram(program, device, "") == CLError.CL_SUCCESS && api.CreateKernel(program, name, out nint kernel) == CLError.CL_SUCCESS)
            {
                return (program, kernel);
            }

            _ = api.ReleaseProgram(program);
            return null;
        }
    }

    [LibraryImport(NativeLibraries.OpenCl, EntryPoint = "clCreateProgramWithBinary")]
    private static unsafe partial nint CreateProgramWithBinary(nint context, uint count, nint* devices, nint* lengths, byte** binaries, out int status, out int error);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "LoadBinaryRepresentation")]
    private static extern byte[] LoadBinary(CLKernel type, nint program);
}
