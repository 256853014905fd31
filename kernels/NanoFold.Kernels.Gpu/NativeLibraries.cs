using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;

namespace NanoFold.Kernels.Gpu;

/// <summary>
/// Finds the driver's libraries under the names that Linux gives them: ILGPU asks for "cuda" and "OpenCL", and a machine without developer packages
/// has libcuda.so.1 and libOpenCL.so.1 only.
/// </summary>
internal static class NativeLibraries
{
    public const string Cuda = "cuda";
    public const string OpenCl = "OpenCL";

    private static int s_isInstalled;

    /// <summary>Before anything of ILGPU is used.</summary>
    public static void Install()
    {
        if (Interlocked.Exchange(ref s_isInstalled, 1) == 0)
        {
            NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, Resolve);
            NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);
        }
    }

    /// <summary>Whether a library can be loaded, and under which name.</summary>
    public static string? Find(string library)
    {
        foreach (string name in Names(library))
        {
            if (NativeLibrary.TryLoad(name, typeof(NativeLibraries).Assembly, null, out nint handle))
            {
                NativeLibrary.Free(handle);
                return name;
            }
        }

        return null;
    }

    /// <summary>File names of a library on this system, the most exact first.</summary>
    public static IReadOnlyList<string> Names(string library) => (library, OperatingSystem.IsWindows()) switch
    {
        (Cuda, true) => ["nvcuda.dll"],
        (OpenCl, true) => ["OpenCL.dll"],
        (Cuda, false) => ["libcuda.so.1", "libcuda.so"],
        (OpenCl, false) => ["libOpenCL.so.1", "libOpenCL.so"],
        _ => [library],
    };

    private static nint Resolve(string library, Assembly assembly, DllImportSearchPath? path)
    {
        // ILGPU names CUDA's library "cuda" or "nvcuda", by system.
        string known = library is "nvcuda" ? Cuda : library;
        foreach (string name in known is Cuda or OpenCl ? Names(known) : [library])
        {
            if (NativeLibrary.TryLoad(name, assembly, path, out nint handle))
            {
                return handle;
            }
        }

        return 0;
    }
}
