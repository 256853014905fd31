namespace NanoFold.Engine.Checkpoints;

/// <summary>Writing inside of a run's folder without following symbolic links, so that nothing outside of it is changed.</summary>
internal static class PlainFile
{
    /// <summary>What ends the name of a file that is being written, in a folder that one process writes.</summary>
    public const string New = ".new";

    /// <summary>Throws where there is a symbolic link at <paramref name="path"/>, wherever it leads. Folders above it are not asked about.</summary>
    /// <exception cref="UserException">It is a link.</exception>
    public static void RequireNoLink(string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
        {
            throw new UserException($"{path}: is a symbolic link to {target}; nothing is written through links inside of a run's folder: put the file or folder itself in its place");
        }
    }

    /// <summary>A new file at <paramref name="path"/>; what was left there, a link too, is deleted first.</summary>
    public static FileStream CreateNew(string path, int bufferSize = 1 << 16)
    {
        File.Delete(path);
        return new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize);
    }
}
