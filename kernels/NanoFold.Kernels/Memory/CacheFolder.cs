namespace NanoFold.Kernels.Memory;

/// <summary>Where what can be made again is kept.</summary>
public static class CacheFolder
{
    /// <summary>What <c>NANOFOLD_CACHE</c> names, otherwise <c>nanofold</c> in the user's folder for caches.</summary>
    public static string Default
    {
        get
        {
            if (Environment.GetEnvironmentVariable("NANOFOLD_CACHE") is { Length: > 0 } named)
            {
                return named;
            }

            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            string caches =
                OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches")
                : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg ? xdg
                : Path.Combine(home, ".cache");
            return Path.Combine(caches, "nanofold");
        }
    }
}
