namespace NanoFold.Engine.Corpora;

/// <summary>A file that a corpus is read from, as the file system describes it.</summary>
/// <param name="Path">The full path.</param>
/// <param name="Name">The path relative to the corpus' folder, with <c>/</c>.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="ModifiedUtc">When it was last written.</param>
public sealed record SourceFile(string Path, string Name, long Bytes, DateTime ModifiedUtc)
{
    internal static SourceFile Of(string path, string name)
    {
        var info = new FileInfo(path);
        return new SourceFile(info.FullName, name.Replace('\\', '/'), info.Length, info.LastWriteTimeUtc);
    }
}
