// Builds the browser's part of the pages into api/static/dist, with a manifest that the server reads.
import { defineConfig } from 'vite';

export default defineConfig({
  publicDir: false,
  base: '/static/dist/',
  build: {
    outDir: '../static/dist',
    emptyOutDir: true,
    manifest: 'manifest.json',
    // Fonts and pictures stay files: the content security policy is for this host, not for data addresses.
    assetsInlineLimit: 0,
    rollupOptions: { input: 'src/viewer.js' },
  },
});
