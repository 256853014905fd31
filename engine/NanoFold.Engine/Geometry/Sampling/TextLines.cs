namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>Lines of a file that somebody named.</summary>
internal static class TextLines
{
    /// <summary>All lines.</summary>
    /// <exception cref="UserException">It cannot be read.</exception>
    public static string[] Read(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }
}
